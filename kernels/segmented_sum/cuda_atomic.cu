// Segmented sums whose parts meet in floating-point atomics: the order in which elements, rows of a warp or chunks arrive
// decides the bits.
#include "kernels/contention.hpp"
#include "kernels/segmented_sum/cuda_kernels.hpp"

namespace detbench::segmented_sum {
namespace {

/// A warp takes a chunk of positions, its lanes neighbours: rows of 32 elements. Joined: what a row holds of one segment is
/// added up by shuffles first, and added by one atomic.
template <class S>
__global__ void __launch_bounds__(block_threads) add_rows(const S* __restrict__ x, Segments segments, bool joined, typename Call<S>::Sum* out) {
  using Sum = typename Call<S>::Sum;
  const Windows windows{segments.n, cuda_window};
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for_windows_of_warp(windows, [&](std::int64_t window) {
    const std::int64_t first = window * cuda_window, last = first + cuda_window < segments.n ? first + cuda_window : segments.n;
    SegmentCursor cursor(segments, first + lane < last ? first + lane : first);
    // All lanes of a warp go round together, so the shuffles always find them.
    for (std::int64_t row = first; row < last; row += 32) {
      const std::int64_t i = row + lane;
      const bool present = i < last;
      const std::int64_t s = present ? cursor.at(i) : -1;
      Sum sum = present ? Sum(reduction::widened(x[i])) : Sum(0);
      if (!joined) {
        if (present) atomicAdd(out + s, sum);
        continue;
      }
      // Segments are sorted: after distance d a lane holds its segment's elements among the next 2d lanes.
      for (int distance = 1; distance < 32; distance *= 2) {
        const Sum other = __shfl_down_sync(reduction::full_warp, sum, distance);
        const std::int64_t other_segment = __shfl_down_sync(reduction::full_warp, s, distance);
        if (lane + distance < 32 && other_segment == s) sum += other;
      }
      const std::int64_t before = __shfl_up_sync(reduction::full_warp, s, 1);
      if (present && (lane == 0 || before != s)) atomicAdd(out + s, sum);
    }
  });
}

/// The chunks of segment_tree, met by atomics.
template <class S>
__global__ void __launch_bounds__(block_threads) add_chunks(const S* __restrict__ x, Segments segments, typename Call<S>::Sum* out) {
  const Windows windows{segments.n, cuda_window};
  const bool adds = threadIdx.x % 32 == 0;
  const auto add = [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
    if (length == 0) return;
    const auto sum = chunk_by_warp(x + begin, length);
    if (adds) atomicAdd(out + s, sum);
  };
  for_windows_of_warp(windows, [&](std::int64_t window) {
    visit_window(segments, windows, window, add,
                 [&](std::int64_t s, std::int64_t, std::int64_t begin, std::int64_t length, std::int64_t) { add(s, begin, length); });
  });
}

/// Zeroes the sums, then launches over windows.
template <class S, class Launch>
Status onto_zero(const Call<S>& call, const char* name, Launch&& launch) {
  const auto grid = grid_for_windows({call.segments.n, cuda_window});
  if (!grid) return tl::unexpected(grid.error());
  const cudaStream_t stream = stream_of(call.stream);
  if (auto s = checked(cudaMemsetAsync(call.out, 0, sizeof(*call.out) * static_cast<std::size_t>(call.segments.count), stream), "cudaMemsetAsync"); !s) return s;
  launch(*grid, stream);
  return launched(name);
}

template <bool Joined>
struct Rows {
  template <class S>
  static Status run(const Call<S>& call) {
    return onto_zero(call, "rows by atomics",
                     [&](int grid, cudaStream_t stream) { add_rows<S><<<grid, block_threads, 0, stream>>>(call.x, call.segments, Joined, call.out); });
  }
};
struct Chunks {
  template <class S>
  static Status run(const Call<S>& call) {
    return onto_zero(call, "chunks by atomics",
                     [&](int grid, cudaStream_t stream) { add_chunks<S><<<grid, block_threads, 0, stream>>>(call.x, call.segments, call.out); });
  }
};

Result<SimplePlanParts> meeting(SimplePlanParts parts, std::int64_t partials) {
  parts.notes.merge(contention_notes(partials));
  return parts;
}
Result<SimplePlanParts> per_element(const SegmentedProblem& problem) {
  constexpr std::int64_t most = std::int64_t{1} << 24;
  if (problem.longest() > most)
    return unsupported("offered up to " + std::to_string(most) + " elements in a segment: atomics on one address go one after the other");
  return meeting(cuda_parts<Rows<false>>(problem, 0), problem.longest());
}
Result<SimplePlanParts> warp_aggregated(const SegmentedProblem& problem) {
  return meeting(cuda_parts<Rows<true>>(problem, 0), problem.most_parts_of(32));
}
Result<SimplePlanParts> chunk_atomic(const SegmentedProblem& problem) {
  return meeting(cuda_parts<Chunks>(problem, 0), (problem.longest() + cuda_window - 1) / cuda_window);
}

SimpleAlgorithm unordered(std::string name, Result<SimplePlanParts> (*make)(const SegmentedProblem&)) {
  return {std::move(name), {}, true, [make](const Problem& text, Device&) -> Result<SimplePlanParts> {
            const auto problem = parse_segmented(text);
            if (!problem) return tl::unexpected(problem.error());
            return make(*problem);
          }};
}

}  // namespace

std::unique_ptr<Provider> make_cuda_atomic_provider() {
  return std::make_unique<SimpleProvider>("cuda_atomic", DeviceKind::cuda,
                                          std::vector<SimpleAlgorithm>{unordered("chunk_atomic", chunk_atomic), unordered("warp_aggregated", warp_aggregated),
                                                                       unordered("atomic_per_element", per_element)});
}

}  // namespace detbench::segmented_sum
