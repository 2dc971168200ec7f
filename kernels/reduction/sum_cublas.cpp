// cuBLAS as a reduction: its dot product, and a sum as the dot product with ones. What a sum pays for that is a second vector
// of the same size to read. The ones lie in the workspace, where reset() writes them before a timing block, as a program that
// sums like this would keep them: their making is not timed, their reading is.
#include "kernels/cublas/environment.hpp"
#include "kernels/cublas/handle.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::reduction {
namespace {

enum class Call { dot, gemv, gemm };

constexpr std::size_t alignment = 256;  // cublasSetWorkspace asks for it
/// What cuBLAS gives itself on compute capability 9.0 (documentation of cublasSetWorkspace), so that no call gets by with less
/// than it would have.
constexpr std::size_t library_bytes = std::size_t{32} << 20;

struct Vectors {
  const void *x, *y;
  void* result;
};

Status enqueue(cublas::Handle& handle, Call call, const SumProblem& p, const Vectors& v) {
  if (call == Call::dot) return handle.dot(p.stored, p.n, v.x, v.y, v.result);
  if (call == Call::gemv) return handle.dot_by_gemv(p.stored, p.n, v.x, v.y, v.result);
  cublas::Gemm gemm{1, 1, p.n};
  gemm.input = p.stored, gemm.output = p.accumulator;
  return handle.multiply(gemm, v.x, v.y, v.result, p.accumulator == DataType::f64 ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

TensorSpec vector_spec(const char* role, DataType type, std::int64_t n) { return {role, type, {n}, canonical_layout({n})}; }

class CublasSum final : public Op {
 public:
  CublasSum(Call call, const SumProblem& problem, Device& device, std::unique_ptr<cublas::Handle> handle, std::span<const Tensor> in,
            std::span<const Tensor> out, Region ones, Stream& stream)
      : call_(call), problem_(problem), device_(device), stream_(stream), handle_(std::move(handle)), ones_(ones),
        vectors_{in[0].region.data, problem.is_dot ? in[1].region.data : ones.data, out[0].region.data} {}
  Status enqueue() override { return reduction::enqueue(*handle_, call_, problem_, vectors_); }
  Status reset() override {
    if (problem_.is_dot) return {};
    FillSpec one;
    one.kind = FillSpec::Kind::constant;
    return device_.fill({vector_spec("ones", problem_.stored, problem_.n), ones_}, one, stream_);
  }

 private:
  Call call_;
  SumProblem problem_;
  Device& device_;
  Stream& stream_;
  std::unique_ptr<cublas::Handle> handle_;
  Region ones_;
  Vectors vectors_;
};

Result<SimplePlanParts> prepare(Call call, const Problem& text, Device& device) {
  const auto problem = parse_sum(text);
  if (!problem) return tl::unexpected(problem.error());
  const SumProblem p = *problem;
  if (call == Call::dot && size_of(p.stored) == 2) return unsupported("cublasDotEx gives the dot product of 16-bit vectors in 16 bits only");
  if (auto status = check_cublas_environment(); !status) return tl::unexpected(status.error());
  SimplePlanParts parts;
  if (p.is_dot)
    parts.inputs = {vector_spec("x", p.stored, p.n), vector_spec("y", p.stored, p.n)};
  else
    parts.inputs = {vector_spec("src", p.stored, p.n)};
  parts.outputs = {vector_spec("dst", p.accumulator, 1)};
  const std::size_t ones_bytes = p.is_dot ? 0 : static_cast<std::size_t>(p.n) * size_of(p.stored);
  parts.workspace_bytes = alignment + library_bytes + ones_bytes;
  parts.alignment_bytes = size_of(p.stored);  // BLAS takes any element's address
  parts.needs_reset = !p.is_dot;
  parts.notes["library"] = "cuBLAS " + cublas_version().value_or("unknown");
  if (!p.is_dot) parts.notes["ones"] = "written by reset(), untimed; read in every run";
  parts.bind = [call, p, &device, ones_bytes](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                              Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cublas::Handle::make();
    if (!handle) return tl::unexpected(handle.error());
    const auto address = reinterpret_cast<std::uintptr_t>(workspace.data);
    char* const own = static_cast<char*>(workspace.data) + (alignment - address % alignment) % alignment;
    // The stream comes first: it takes a workspace away.
    if (auto status = (*handle)->set_stream(stream.native()); !status) return tl::unexpected(status.error());
    if (auto status = (*handle)->set_workspace(own, library_bytes); !status) return tl::unexpected(status.error());
    return std::make_unique<CublasSum>(call, p, device, std::move(*handle), in, out, Region{own + library_bytes, ones_bytes}, stream);
  };
  return parts;
}

/// Dot products, or sums, under the names of what they are: the calls are the same.
class CublasSums final : public Provider {
 public:
  std::string_view name() const override { return "cublas"; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (device.kind() != DeviceKind::cuda) return std::vector<Offer>{};
    if (const auto version = cublas_version(); !version) return std::vector<Offer>{{{"cublas", "any", {}, {}}, version.error()}};
    return rows_for(problem).offers(problem, device);
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    return rows_for(problem).plan(problem, algorithm, device);
  }

 private:
  static SimpleProvider rows_for(const Problem& problem) {
    const std::string suffix = problem.op == "dot" ? "" : "_ones";
    // A workspace of the op's own covers other streams, which the library's pool does not.
    const Claim claim{Guarantee::run_to_run, "cuBLAS documentation 2.1.4, library " + cublas_version().value_or("unknown"),
                      {Scope::repeat, Scope::process, Scope::load}};
    const auto row = [&](const char* name, Call call) {
      return SimpleAlgorithm{name + suffix, claim, true, [call](const Problem& p, Device& device) { return prepare(call, p, device); }};
    };
    return {"cublas", DeviceKind::cuda, {row("dot", Call::dot), row("gemv", Call::gemv), row("gemm", Call::gemm)}};
  }
};

}  // namespace

std::unique_ptr<Provider> make_cublas_sums() { return std::make_unique<CublasSums>(); }

}  // namespace detbench::reduction
