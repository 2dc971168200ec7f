#include "models/framework_rules.hpp"

#include <string_view>

#include "kernels/convolution/legacy_cudnn_table.hpp"
#include "kernels/convolution/pad.hpp"

namespace detbench {
namespace {

/// Libraries before our own kernels; ours are what is left for ops that no library answers.
constexpr const char* library_order[] = {"cudnn_legacy", "cudnn_graph", "cublas", "cublaslt", "cuda", "fixed_order"};

void add_libraries(std::vector<Wish>& wishes, bool claimed) {
  for (const char* provider : library_order) wishes.push_back({{provider, "", {}, {}}, claimed});
}

const legacy::AlgorithmRow* row_named(Direction direction, std::string_view name) {
  for (const auto& row : legacy::algorithms_of(direction))
    if (name == row.name) return &row;
  return nullptr;
}

/// The legacy arm of that name for the problem, with zeros by hand where the API cannot state the pads.
void add_legacy(std::vector<Wish>& wishes, const ConvolutionProblem& problem, std::string_view name, legacy::Math math) {
  legacy::Arm arm;
  arm.row = row_named(problem.direction, name);
  arm.pad = symmetric_form(problem).by_hand.any();
  arm.math = math;
  auto algorithm = to_algorithm(arm, "");
  algorithm.claim = {};  // the provider's own says which cuDNN it is about
  wishes.push_back({std::move(algorithm), false});
}

/// Tensor-op math first, then without: where TF32 is not allowed both are fma.
std::vector<legacy::Math> tensorflow_math(const ConvolutionTypes& types) {
  if (types.storage == DataType::f32 && !types.tf32) return {legacy::Math::fma};
  return {legacy::Math::tensor_op, legacy::Math::default_math};
}

const std::vector<std::string_view>& tensorflow_list(Direction direction) {
  static const std::vector<std::string_view> forward{"implicit_precomp_gemm", "implicit_gemm", "gemm",       "direct",
                                                     "fft",                   "winograd",      "fft_tiling", "winograd_nonfused"};
  static const std::vector<std::string_view> data{"algo_1", "fft", "fft_tiling", "winograd", "winograd_nonfused"};
  static const std::vector<std::string_view> filter{"algo_1", "fft", "winograd_nonfused"};
  return direction == Direction::forward ? forward : direction == Direction::dgrad ? data : filter;
}

}  // namespace

bool is_convolution_op(const std::string& op) { return op == "conv_fwd" || op == "conv_dgrad" || op == "conv_wgrad"; }
bool is_max_pool_op(const std::string& op) { return op == "max_pool_fwd" || op == "max_pool_bwd"; }

std::vector<Wish> pytorch_wishes(const Problem& problem) {
  std::vector<Wish> wishes;
  if (is_convolution_op(problem.op)) {
    if (const auto p = parse_convolution(problem))
      add_legacy(wishes, *p, p->direction == Direction::forward ? "implicit_precomp_gemm" : "algo_1", legacy::usual_math(p->types));
    return wishes;  // pinned means pinned: where it does not run, the policy cannot be had
  }
  add_libraries(wishes, true);
  return wishes;
}

std::vector<Wish> tensorflow_wishes(const Problem& problem) {
  std::vector<Wish> wishes;
  if (is_convolution_op(problem.op)) {
    if (const auto p = parse_convolution(problem))
      for (const auto name : tensorflow_list(p->direction))
        for (const auto math : tensorflow_math(p->types)) add_legacy(wishes, *p, name, math);
    return wishes;
  }
  if (is_max_pool_op(problem.op)) return {{{"cudnn_legacy", "max_deterministic", {}, {}}, false}};
  add_libraries(wishes, true);
  return wishes;
}

std::vector<Wish> tf_cudnn_wishes(const Problem& problem) {
  if (is_convolution_op(problem.op) || is_max_pool_op(problem.op)) return tensorflow_wishes(problem);
  std::vector<Wish> wishes;
  // TensorFlow's own kernel: partial sums per block, then one atomic addition each.
  if (problem.op == "bias_grad") wishes.push_back({{"cuda", "block_atomic", {}, {}}, false});
  add_libraries(wishes, false);
  return wishes;
}

std::vector<Wish> gpu_library_wishes(const Problem& problem) {
  std::vector<Wish> wishes;
  if (is_convolution_op(problem.op))
    for (const char* mode : {"heur_mode_a", "heur_mode_fallback"}) {
      // Where zeros are added by hand, or other pads give the same sums, the arm's name begins with it.
      for (const char* prefix : {"", "pad+", "sym+"}) wishes.push_back({{"cudnn_graph", std::string(prefix) + "pick:" + mode, {}, {}}, false});
    }
  add_libraries(wishes, false);
  return wishes;
}

}  // namespace detbench
