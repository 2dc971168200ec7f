// CUB's sum at the three guarantees of cuda::execution::determinism, through the call that takes an environment. That call
// allocates its temporary storage; here it is given a memory resource that lends the plan's workspace, so that nothing is
// allocated when it runs and it can be captured.
//
// not_guaranteed: block partials meet in atomics. run_to_run: partials and a second kernel, on a grid that follows the GPU.
// gpu_to_gpu: CUB's reproducible accumulator, bins of exponents whose content does not depend on the grid (the idea of
// binned_sum.hpp; the bits are CUB's own, for one version of it).
#include <cub/device/device_reduce.cuh>

#include <cuda/__execution/determinism.h>
#include <cuda/__execution/require.h>
#include <cuda/__memory_resource/get_memory_resource.h>
#include <cuda/stream_ref>
#include <utility>

#include "kernels/reduction/cub_levels.hpp"
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/sum.hpp"

static_assert(CCCL_VERSION >= 3002000, "the three guarantees need CCCL 3.2");

namespace detbench::reduction {
namespace {

namespace determinism = cuda::execution::determinism;

/// Lends one piece of memory and notes how much was asked for. CCCL 3.2 asks without an alignment, later ones with it. Lent
/// null, CUB takes its second call for another question about the size, and launches nothing.
class Lender {
 public:
  Lender(void* memory, std::size_t* asked) : memory_(memory), asked_(asked) {}
  void* allocate(cuda::stream_ref, std::size_t bytes, std::size_t = 0) { return allocate_sync(bytes); }
  void deallocate(cuda::stream_ref, void*, std::size_t, std::size_t = 0) noexcept {}
  void* allocate_sync(std::size_t bytes, std::size_t = 0) {
    *asked_ = bytes;
    return memory_;
  }
  [[maybe_unused]] void deallocate_sync(void*, std::size_t, std::size_t = 0) noexcept {}
  bool operator==(const Lender&) const = default;
  [[maybe_unused]] friend void get_property(const Lender&, cuda::mr::device_accessible) noexcept {}

 private:
  void* memory_;
  std::size_t* asked_;
};

template <class Level>
auto environment(cudaStream_t stream, const Lender& lender) {
  return cuda::std::execution::env{cuda::stream_ref{stream}, cuda::execution::require(Level{}),
                                   cuda::std::execution::prop{cuda::mr::__get_memory_resource, lender}};
}
// Else CUB would allocate without a word.
static_assert(std::is_same_v<std::remove_cvref_t<decltype(cuda::mr::__get_memory_resource(
                                 std::declval<const decltype(environment<determinism::run_to_run_t>(
                                     cudaStream_t{}, std::declval<const Lender&>()))&>()))>,
                             Lender>);

template <class Level, class T>
Status sum_at(const T* x, std::int64_t n, T* sum, void* workspace, std::size_t& bytes, cudaStream_t stream) {
  return checked(cub::DeviceReduce::Sum(x, sum, n, environment<Level>(stream, Lender(workspace, &bytes))),
                 "cub::DeviceReduce::Sum with an environment");
}

template <class Level>
struct AtLevel {
  template <class Source>
    requires is_cub_source<Source>
  static Status run(const SumCall<Source>& call) {
    std::size_t bytes = 0;
    return sum_at<Level>(call.source.x, call.n, call.sum, call.workspace, bytes, static_cast<cudaStream_t>(call.stream));
  }
};

template <class Level, class T>
Result<std::size_t> bytes_for(std::int64_t n) {
  std::size_t bytes = 0;
  if (auto status = sum_at<Level, T>(nullptr, n, nullptr, nullptr, bytes, nullptr); !status) return tl::unexpected(status.error());
  return bytes > 0 ? bytes : 1;  // a run is never lent null
}

template <class Level>
TableRow level_row(const char* name, Claim claim) {
  auto algorithm = sum_algorithm<AtLevel<Level>>(name, std::move(claim));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) {
    return problem.accumulator == DataType::f64 ? bytes_for<Level, double>(problem.n) : bytes_for<Level, float>(problem.n);
  };
  algorithm.missing = missing_from_cub;
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace

std::vector<TableRow> cub_level_rows() {
  const std::string source = "CCCL " + *cccl_version() + ", cuda::execution::determinism::";
  // gpu_to_gpu is promised for one version of CCCL: rows of two machines are held to it only where their sources name one.
  std::vector<TableRow> rows;
  rows.push_back(level_row<determinism::not_guaranteed_t>("not_guaranteed", {Guarantee::not_guaranteed, source + "not_guaranteed", {}}));
  rows.push_back(level_row<determinism::run_to_run_t>(
      "run_to_run", {Guarantee::run_to_run, source + "run_to_run", {Scope::repeat, Scope::process, Scope::load}}));
  rows.push_back(level_row<determinism::gpu_to_gpu_t>(
      "gpu_to_gpu", {Guarantee::gpu_to_gpu, source + "gpu_to_gpu", {Scope::repeat, Scope::process, Scope::load, Scope::machine}}));
  return rows;
}

}  // namespace detbench::reduction

namespace detbench {

std::optional<std::string> cccl_version() {
  return std::to_string(CCCL_MAJOR_VERSION) + "." + std::to_string(CCCL_MINOR_VERSION) + "." + std::to_string(CCCL_PATCH_VERSION);
}

}  // namespace detbench
