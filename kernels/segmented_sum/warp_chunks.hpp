// How a CUDA warp adds a chunk of a segment up in the order of kernels/reduction/fixed_tree.hpp, and how a block joins the
// chunks of a long segment: index arithmetic and additions that the host compiles too, so that tests hold them against the tree.
#pragma once

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/summands.hpp"
#include "kernels/segmented_sum/segments.hpp"

namespace detbench::segmented_sum {

/// Step 1 of the tree and the first fold of step 2 for one thread of a warp: thread t owns lanes t and t + 32, so stride 32
/// stays inside it and strides 16 .. 1 are shuffles over that many threads.
template <class S>
DETBENCH_HOST_DEVICE inline auto sum_own_lanes(const S* x, std::int64_t n, int thread) {
  using Sum = decltype(reduction::widened(S{}));
  static_assert(reduction::lane_count == 64);
  Sum low = reduction::absent_value<Sum>(), high = reduction::absent_value<Sum>();
  std::int64_t row = thread;
  // A GPU issues the loads of a batch together, before the additions, which keep their order.
  constexpr int batch = 8;
  for (; row + (batch - 1) * 64 + 32 < n; row += batch * 64) {
    S first[batch], second[batch];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < batch; ++i) first[i] = x[row + i * 64], second[i] = x[row + i * 64 + 32];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < batch; ++i) low += reduction::widened(first[i]), high += reduction::widened(second[i]);
  }
  for (; row < n; row += 64) {
    low += reduction::widened(x[row]);
    if (row + 32 < n) high += reduction::widened(x[row + 32]);
  }
  return low + high;
}

/// A long segment's pieces are joined by a block: each thread joins an aligned run of this many, a power of two, so that its
/// root is a node of the tree; then neighbouring threads' roots meet, level by level.
inline constexpr int join_threads = 256;
DETBENCH_HOST_DEVICE constexpr std::int64_t run_of_thread(std::int64_t pieces) {
  std::int64_t run = 1;
  while (run * join_threads < pieces) run *= 2;
  return run;
}
/// The root of thread `thread`'s run; absent_value() where it has none.
template <class Sum>
DETBENCH_HOST_DEVICE inline Sum join_run(const Sum* places, std::int64_t window, std::int64_t pieces, int thread) {
  const std::int64_t run = run_of_thread(pieces), first = thread * run, last = first + run < pieces ? first + run : pieces;
  if (first >= last) return reduction::absent_value<Sum>();
  reduction::PairJoiner<Sum> joiner;
  for (std::int64_t p = first; p < last; ++p) joiner.add(places[Windows::place_of_piece(window, p)]);
  return joiner.root();
}

/// What a segment's tree becomes as output: a sum begins as +0.
template <class Sum>
DETBENCH_HOST_DEVICE inline Sum finished_sum(Sum tree) {
  return reduction::canonical_nan(Sum(0) + tree);
}

}  // namespace detbench::segmented_sum
