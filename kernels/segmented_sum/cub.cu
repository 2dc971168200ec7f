// CUB's segmented sum through the classic two-phase call, which every toolkit has.
#include <cub/device/device_segmented_reduce.cuh>
#include <cuda/std/functional>

#include "kernels/segmented_sum/cuda_kernels.hpp"

namespace detbench::segmented_sum {
namespace {

/// offset(base + i): as much of a random-access iterator as CUB uses.
class OffsetIterator {
 public:
  using value_type = std::int64_t;
  using reference = std::int64_t;
  using pointer = const std::int64_t*;
  using difference_type = std::int64_t;
  using iterator_category = std::random_access_iterator_tag;

  __host__ __device__ OffsetIterator(const Segments& segments, std::int64_t base) : segments_(segments), base_(base) {}
  __host__ __device__ std::int64_t operator[](std::int64_t i) const { return segments_.offset(base_ + i); }
  __host__ __device__ OffsetIterator operator+(std::int64_t i) const { return {segments_, base_ + i}; }

 private:
  Segments segments_;
  std::int64_t base_;
};

/// Order: a block per segment, as CUB tunes it for the architecture.
template <class T>
Status sum_segments(const T* x, const Segments& segments, T* out, void* workspace, std::size_t& bytes, cudaStream_t stream) {
  return checked(cub::DeviceSegmentedReduce::Reduce(workspace, bytes, x, out, segments.count, OffsetIterator(segments, 0), OffsetIterator(segments, 1),
                                                    cuda::std::plus<>{}, T(0), stream),
                 "cub::DeviceSegmentedReduce::Reduce");
}

template <class T>
Result<SimplePlanParts> parts_for(const SegmentedProblem& problem) {
  SimplePlanParts parts = parts_of(problem);
  std::size_t bytes = 0;
  if (auto s = sum_segments<T>(nullptr, {problem.n, problem.segments, problem.skewed, nullptr}, nullptr, nullptr, bytes, nullptr); !s) return tl::unexpected(s.error());
  // Given none, CUB would say how much it wants instead of summing.
  parts.workspace_bytes = bytes > 0 ? bytes : 1;
  parts.launch = [problem, bytes = parts.workspace_bytes](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* stream) {
    const auto call = call_of<T>(problem, {}, in, out, workspace, stream);
    std::size_t given = bytes;
    return sum_segments<T>(call.x, call.segments, call.out, call.workspace, given, stream_of(stream));
  };
  return parts;
}

}  // namespace

std::unique_ptr<Provider> make_cub_provider() {
  const std::string version = std::to_string(CUB_MAJOR_VERSION) + "." + std::to_string(CUB_MINOR_VERSION) + "." + std::to_string(CUB_SUBMINOR_VERSION);
  // Same GPU only: the shape of a block is tuned by architecture, so `partition` and `machine` are not covered.
  const Claim claim{Guarantee::run_to_run,
                    "CUB " + version + " documentation of cub::DeviceSegmentedReduce::Reduce: \"run-to-run\" determinism for pseudo-associative reduction on the same GPU device",
                    {Scope::repeat, Scope::process, Scope::load}};
  return std::make_unique<SimpleProvider>(
      "cub", DeviceKind::cuda, std::vector<SimpleAlgorithm>{{"device_segmented_reduce", claim, true, [](const Problem& text, Device&) -> Result<SimplePlanParts> {
                                                               const auto problem = parse_segmented(text);
                                                               if (!problem) return tl::unexpected(problem.error());
                                                               if (problem->stored == DataType::f64) return parts_for<double>(*problem);
                                                               if (problem->stored == DataType::f32) return parts_for<float>(*problem);
                                                               return unsupported("cub's segmented sum is offered for f32 and f64");
                                                             }}});
}

}  // namespace detbench::segmented_sum
