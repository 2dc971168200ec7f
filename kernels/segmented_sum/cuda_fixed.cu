// Segmented sums in a fixed order on CUDA, the CPU's bits. segment_tree: a warp takes the segments that begin in a chunk of
// positions and one chunk of a long one; a second launch joins the chunks of long segments. row_in_order: a thread a segment.
#include "kernels/segmented_sum/cuda_kernels.hpp"

namespace detbench::segmented_sum {
namespace {

template <class S>
__global__ void __launch_bounds__(block_threads)
    sum_windows(const S* __restrict__ x, Segments segments, typename Call<S>::Sum* __restrict__ out, typename Call<S>::Sum* __restrict__ places) {
  using Sum = typename Call<S>::Sum;
  const Windows windows{segments.n, cuda_window};
  const bool writes = threadIdx.x % 32 == 0;
  for_windows_of_warp(windows, [&](std::int64_t window) {
    visit_window(
        segments, windows, window,
        [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
          if (length == 0) {
            if (writes) out[s] = Sum(0);
            return;
          }
          const Sum tree = chunk_by_warp(x + begin, length);
          if (writes) out[s] = finished_sum(tree);
        },
        [&](std::int64_t, std::int64_t place, std::int64_t begin, std::int64_t length, std::int64_t) {
          const Sum tree = chunk_by_warp(x + begin, length);
          if (writes) places[place] = tree;
        });
  });
}

/// A block takes join_threads windows at a time: each thread looks for a long segment that begins in one of them, then the
/// block joins those that were found, one after the other.
template <class Sum>
__global__ void __launch_bounds__(join_threads) join_pieces(Segments segments, const Sum* __restrict__ places, Sum* __restrict__ out) {
  const Windows windows{segments.n, cuda_window};
  __shared__ std::int64_t found[join_threads];
  __shared__ Sum roots[join_threads];
  for (std::int64_t first = std::int64_t{blockIdx.x} * join_threads; first < windows.count(); first += std::int64_t{gridDim.x} * join_threads) {
    const std::int64_t own = first + threadIdx.x;
    found[threadIdx.x] = own < windows.count() ? long_segment_of(segments, windows, own) : -1;
    __syncthreads();
    for (int k = 0; k < join_threads; ++k) {
      const std::int64_t s = found[k];  // the same in all threads
      if (s < 0) continue;
      roots[threadIdx.x] = join_run(places, first + k, windows.pieces(segments.length(s)), static_cast<int>(threadIdx.x));
      for (int distance = 1; distance < join_threads; distance *= 2) {
        __syncthreads();
        const int node = static_cast<int>(threadIdx.x) * 2 * distance;
        if (node < join_threads) roots[node] += roots[node + distance];
      }
      if (threadIdx.x == 0) out[s] = finished_sum(roots[0]);
      __syncthreads();
    }
    __syncthreads();
  }
}

template <class S>
__global__ void __launch_bounds__(block_threads) sum_rows(const S* __restrict__ x, Segments segments, typename Call<S>::Sum* __restrict__ out) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t s = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; s < segments.count; s += step) {
    typename Call<S>::Sum sum = 0;
    const std::int64_t end = segments.offset(s + 1);
    for (std::int64_t i = segments.offset(s); i < end; ++i) sum += reduction::widened(x[i]);
    out[s] = reduction::canonical_nan(sum);
  }
}

struct Tree {
  template <class S>
  static Status run(const Call<S>& call) {
    using Sum = typename Call<S>::Sum;
    const Windows windows{call.segments.n, cuda_window};
    const auto grid = grid_for_windows(windows);
    if (!grid) return tl::unexpected(grid.error());
    auto* places = static_cast<Sum*>(call.workspace);
    sum_windows<S><<<*grid, block_threads, 0, stream_of(call.stream)>>>(call.x, call.segments, call.out, places);
    if (auto s = launched("segment_tree, windows"); !s) return s;
    const auto join_grid = reduction::filling_grid((windows.count() + join_threads - 1) / join_threads);
    if (!join_grid) return tl::unexpected(join_grid.error());
    join_pieces<Sum><<<*join_grid, join_threads, 0, stream_of(call.stream)>>>(call.segments, places, call.out);
    return launched("segment_tree, join");
  }
};

struct InOrder {
  template <class S>
  static Status run(const Call<S>& call) {
    const auto grid = reduction::filling_grid((call.segments.count + block_threads - 1) / block_threads);
    if (!grid) return tl::unexpected(grid.error());
    sum_rows<S><<<*grid, block_threads, 0, stream_of(call.stream)>>>(call.x, call.segments, call.out);
    return launched("row_in_order");
  }
};

}  // namespace

Result<SimplePlanParts> cuda_segment_tree(const SegmentedProblem& problem) {
  return cuda_parts<Tree>(problem, size_of(problem.accumulator) * static_cast<std::size_t>(Windows{problem.n, cuda_window}.places()));
}

Result<SimplePlanParts> cuda_row_in_order(const SegmentedProblem& problem) {
  constexpr std::int64_t most = std::int64_t{1} << 20;
  if (problem.longest() > most)
    return unsupported("offered up to " + std::to_string(most) + " elements in a segment: one thread adds them, some 10 ns each");
  return cuda_parts<InOrder>(problem, 0);
}

}  // namespace detbench::segmented_sum
