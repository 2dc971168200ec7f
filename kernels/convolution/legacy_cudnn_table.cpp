#include "kernels/convolution/legacy_cudnn_table.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace detbench::legacy {
namespace {

constexpr AlgorithmRow rows[] = {
    {Direction::forward, 0, "implicit_gemm"},
    {Direction::forward, 1, "implicit_precomp_gemm"},
    {Direction::forward, 2, "gemm"},
    {Direction::forward, 3, "direct"},  // never implemented; the library's status says so
    {Direction::forward, 4, "fft", false, true},
    {Direction::forward, 5, "fft_tiling", false, true},
    {Direction::forward, 6, "winograd", false, true},
    {Direction::forward, 7, "winograd_nonfused", false, true},
    {Direction::dgrad, 0, "algo_0", true},
    {Direction::dgrad, 1, "algo_1"},
    {Direction::dgrad, 2, "fft", false, true},
    {Direction::dgrad, 3, "fft_tiling", false, true},
    {Direction::dgrad, 4, "winograd", false, true},
    {Direction::dgrad, 5, "winograd_nonfused", false, true},
    {Direction::wgrad, 0, "algo_0", true},
    {Direction::wgrad, 1, "algo_1"},
    {Direction::wgrad, 2, "fft", false, true},
    {Direction::wgrad, 3, "algo_3", true},
    {Direction::wgrad, 4, "winograd", false, true},  // not implemented, says the header
    {Direction::wgrad, 5, "winograd_nonfused", false, true},
    {Direction::wgrad, 6, "fft_tiling", false, true},
};

/// As for oneDNN's Winograd: F(4x4,3x3) multiplies by constants up to 8 and adds what cancels again, which was measured
/// to reach 3.3 times the norm-wise bound of a direct sum. A transform by FFT adds log2 of its length in roundoffs, less.
constexpr double transform_bound_constant = 8;

/// The roundoff of f16 over that of f32, in which bounds are counted: what sums made in f16 may err more.
constexpr double f16_over_f32_roundoff = 0x1p13;

constexpr std::string_view pad_prefix = "pad+", pick_prefix = "pick:";

bool same(const Algorithm& a, const Algorithm& b) { return a.name == b.name && a.options == b.options; }

std::string known_names(Direction direction) {
  std::string names;
  for (const auto& row : algorithms_of(direction)) names += std::string(row.name) + ", ";
  return names + "pick:get_v7 and pick:find_ex";
}

}  // namespace

std::span<const AlgorithmRow> all_algorithms() { return rows; }

std::span<const AlgorithmRow> algorithms_of(Direction direction) {
  const auto first = std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.direction == direction; });
  const auto last = std::find_if(first, std::end(rows), [&](const auto& row) { return row.direction != direction; });
  return {first, last};
}

std::string_view to_text(Math math) {
  switch (math) {
    case Math::tensor_op: return "tensor_op";
    case Math::tensor_op_allow_conversion: return "tensor_op_allow_conversion";
    case Math::fma: return "fma";
    default: return "default";
  }
}

std::optional<Reason> math_misfit(const ConvolutionTypes& types, Math math, int compute_major) {
  if (types.storage != DataType::f32) return std::nullopt;
  const std::string text = "math=" + std::string(to_text(math));
  const bool gpu_has_tf32 = compute_major >= 8;
  if (types.tf32) {
    if (!gpu_has_tf32) return Reason{"this GPU has no TF32: sm_80 and later do", Reason::Kind::unsupported};
    if (math == Math::fma)
      return Reason{text + " never uses tensor cores: it belongs to f32_f32_strict", Reason::Kind::unsupported};
    return std::nullopt;
  }
  if (math == Math::fma) return std::nullopt;
  if (math == Math::tensor_op_allow_conversion)
    return Reason{text + " may round f32 data to f16: it belongs to f32_f32_tf32", Reason::Kind::unsupported};
  if (gpu_has_tf32)
    return Reason{text + " permits TF32 for f32 data on this GPU: it belongs to f32_f32_tf32", Reason::Kind::unsupported};
  return std::nullopt;
}

Math usual_math(const ConvolutionTypes& types) {
  if (types.storage != DataType::f32) return Math::tensor_op;
  return types.tf32 ? Math::default_math : Math::fma;
}

std::string row_text(const AlgorithmRow& row, Math math) {
  return std::string(row.name) + "@math=" + std::string(to_text(math));
}

Algorithm to_algorithm(const Arm& arm, const std::string& cudnn_version) {
  Algorithm algorithm;
  algorithm.provider = "cudnn_legacy";
  if (arm.pad) algorithm.name = pad_prefix;
  algorithm.options["math"] = to_text(arm.math);
  if (arm.choice == Choice::named) {
    algorithm.name += arm.row->name;
    const std::string guide = "cuDNN developer guide, Reproducibility (Determinism), for " + cudnn_version;
    if (arm.row->documented_nondeterministic)
      algorithm.claim = {Guarantee::not_guaranteed, guide + ": on the list of routines without the guarantee", {}};
    else
      algorithm.claim = {Guarantee::run_to_run, guide + ": not on the list of routines without the guarantee",
                         {Scope::repeat, Scope::process, Scope::load, Scope::placement}};
  } else {
    // Nobody promises that a selection comes out the same again, so a pick carries no claim of its own.
    algorithm.name += std::string(pick_prefix) + (arm.choice == Choice::get_v7 ? "get_v7" : "find_ex");
    algorithm.options["ws"] = std::to_string(arm.workspace_cap_bytes);
    if (arm.deterministic_rows_only) algorithm.options["rows"] = "deterministic";
  }
  if (arm.half_compute) {
    algorithm.options["compute"] = "f16";
    algorithm.bound_constant = f16_over_f32_roundoff;
  }
  // A pick may turn out to be a transform.
  if (arm.choice != Choice::named || arm.row->transform) {
    algorithm.sum_of_products = false;
    algorithm.bound_constant *= transform_bound_constant;
  }
  return algorithm;
}

Result<Arm> parse_arm(Direction direction, const Algorithm& algorithm) {
  Arm arm;
  std::string_view name = algorithm.name;
  if (name.starts_with(pad_prefix)) arm.pad = true, name.remove_prefix(pad_prefix.size());
  if (name == "pick:get_v7") arm.choice = Choice::get_v7;
  else if (name == "pick:find_ex") arm.choice = Choice::find_ex;
  else
    for (const auto& row : algorithms_of(direction))
      if (name == row.name) arm.row = &row;
  if (arm.choice == Choice::named && arm.row == nullptr)
    return invalid_input("cudnn_legacy has no algorithm '" + algorithm.name.substr(0, 100) + "' for " +
                         std::string(op_name(direction)) + "; it has " + known_names(direction));
  const auto option = [&](const char* key) -> std::string {
    const auto found = algorithm.options.find(key);
    return found == algorithm.options.end() ? "" : found->second;
  };
  const auto math = option("math");
  bool known = false;
  for (const auto m : all_math)
    if (math == to_text(m)) arm.math = m, known = true;
  if (!known)
    return invalid_input("cudnn_legacy:" + algorithm.name.substr(0, 100) + " needs the option math=default, tensor_op, "
                         "tensor_op_allow_conversion or fma, not math='" + math.substr(0, 60) + "'");
  if (arm.choice == Choice::named) {
    arm.half_compute = option("compute") == "f16";
  } else {
    const auto cap = option("ws");
    const auto [end, error] = std::from_chars(cap.data(), cap.data() + cap.size(), arm.workspace_cap_bytes);
    if (error != std::errc() || end != cap.data() + cap.size())
      return invalid_input("cudnn_legacy:" + algorithm.name + " needs the option ws=<workspace cap in bytes>, not ws='" + cap.substr(0, 60) + "'");
    arm.deterministic_rows_only = option("rows") == "deterministic";
  }
  // What was not understood above, and every other way to write the same arm, shows here.
  if (const auto canonical = to_algorithm(arm, ""); !same(canonical, algorithm))
    return invalid_input("cudnn_legacy has no '" + algorithm_id(algorithm).substr(0, 150) + "'; near it is " + algorithm_id(canonical));
  return arm;
}

Result<PerfRow> choose_row(std::span<const PerfRow> candidates, const Arm& arm, const ConvolutionTypes& types, int compute_major) {
  int failed = 0, too_large = 0, other_math = 0, not_deterministic = 0;
  for (const auto& row : candidates) {
    const bool known_math = row.math >= 0 && row.math <= static_cast<int>(Math::fma);
    if (!row.succeeded) ++failed;
    else if (row.memory_bytes > arm.workspace_cap_bytes) ++too_large;
    else if (!known_math || math_misfit(types, static_cast<Math>(row.math), compute_major)) ++other_math;
    else if (arm.deterministic_rows_only && !row.deterministic) ++not_deterministic;
    else return row;
  }
  return unsupported("none of the library's " + std::to_string(candidates.size()) + " rows can be picked: " +
                     std::to_string(failed) + " failed, " + std::to_string(too_large) + " want more workspace, " +
                     std::to_string(other_math) + " have a math type of other problems, " + std::to_string(not_deterministic) +
                     " are not called deterministic");
}

std::string ranking_text(Direction direction, std::span<const PerfRow> candidates, std::size_t most) {
  std::string text;
  std::size_t told = 0;
  const auto known = algorithms_of(direction);
  for (const auto& row : candidates) {
    if (!row.succeeded) continue;
    if (told++ == most) break;
    const bool named = row.algorithm >= 0 && row.algorithm < static_cast<int>(known.size()) && row.math >= 0 && row.math <= static_cast<int>(Math::fma);
    if (!text.empty()) text += ", ";
    text += named ? row_text(known[static_cast<std::size_t>(row.algorithm)], static_cast<Math>(row.math))
                  : "algorithm " + std::to_string(row.algorithm) + " math " + std::to_string(row.math);
    char time[32];
    std::snprintf(time, sizeof time, " %.3g s", row.time_s);
    if (row.time_s >= 0) text += time;
  }
  return text;
}

std::string perf_struct_determinism(std::span<const PerfRow> candidates, int algorithm, Math math) {
  for (const auto& row : candidates)
    if (row.algorithm == algorithm && row.math == static_cast<int>(math))
      return row.deterministic ? "deterministic" : "non_deterministic";
  return "unlisted";
}

}  // namespace detbench::legacy
