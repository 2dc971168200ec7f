// The order in which `sort_tree` adds the updates of one bin, for CPU and CUDA: the bin's updates, in the order of
// their numbers, form a vector, and that vector is summed in the fixed tree of kernels/reduction/fixed_tree.hpp. So the
// order depends on the bin's own updates alone, and a bin that receives millions still has a tree to work on in
// parallel. A bin begins as +0, so its sum is 0 + tree; without updates it stays +0. Rows of several values have one such
// tree per column.
#pragma once

#include <cstdint>

#include "kernels/reduction/fixed_tree.hpp"

namespace detbench::scatter_add {

/// Step 2 of the fixed tree for 1 to 64 elements in lanes 0 .. count-1; additions of what is absent, which change nothing,
/// are left out. Lanes are `columns` values wide, which are folded side by side; the sums end in lane 0.
template <class T>
DETBENCH_HOST_DEVICE inline void fold_few(T* lanes, int count, int columns = 1) {
  int stride = reduction::lane_count / 2;
  while (stride >= count && stride > 0) stride /= 2;
  for (; stride > 0; count = stride, stride /= 2)
    for (int at = 0; at < (count - stride) * columns; ++at) lanes[at] += lanes[stride * columns + at];
}

/// The tree of up to 8 elements for one CUDA thread: lanes that are absent hold absent_value().
inline constexpr int few_updates = 8;
template <class T>
DETBENCH_HOST_DEVICE inline T fold_eight(const T (&l)[few_updates]) {
  return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

/// Neighbouring outputs that one CUDA warp takes, where so many warps run at once: as many as it has lanes, fewer where that
/// would leave warps without any, because it sums all but the shortest one after the other. A power of two.
DETBENCH_HOST_DEVICE constexpr int outputs_per_warp(std::int64_t outputs, std::int64_t warps) {
  int per_warp = 32;
  while (per_warp > 1 && outputs / per_warp < warps) per_warp /= 2;
  return per_warp;
}

/// Steps 1 and the first fold of step 2 for one thread of a CUDA warp that sums a chunk: thread t owns lanes t and t +
/// 32, so stride 32 stays inside it and strides 16 .. 1 are shuffles over that many threads. value(i) is the bin's i-th.
template <class T, class Value>
DETBENCH_HOST_DEVICE inline T sum_own_lanes(std::int64_t count, int thread, Value&& value) {
  static_assert(reduction::lane_count == 64);
  T low = reduction::absent_value<T>(), high = reduction::absent_value<T>();
#ifdef __CUDA_ARCH__
#pragma unroll 8
#endif
  for (std::int64_t row = 0; row < count; row += reduction::lane_count) {
    if (row + thread < count) low += value(row + thread);
    if (row + thread + 32 < count) high += value(row + thread + 32);
  }
  return low + high;
}

/// What a bin's tree becomes as output.
template <class T>
DETBENCH_HOST_DEVICE inline T finish_bin(T tree) {
  return reduction::canonical_nan(T(0) + tree);
}

}  // namespace detbench::scatter_add
