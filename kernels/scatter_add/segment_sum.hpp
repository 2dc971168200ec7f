// The order in which `sort_tree` adds the updates of one bin, for CPU and CUDA: the bin's updates, in the order of
// their indices, form a vector, and that vector is summed in the fixed tree of kernels/reduction/fixed_tree.hpp. So the
// order depends on the bin's own updates alone, and a bin that receives millions still has a tree to work on in
// parallel. A bin begins as +0, so its sum is 0 + tree; without updates it stays +0.
#pragma once

#include <cstdint>

#include "kernels/reduction/fixed_tree.hpp"

namespace detbench::scatter_add {

/// Step 2 of the fixed tree for fewer than 64 elements in lanes 0 .. count-1; additions of what is absent, which change
/// nothing, are left out.
DETBENCH_HOST_DEVICE inline float fold_few(float* lanes, int count) {
  for (int stride = reduction::lane_count / 2; stride > 0; stride /= 2) {
    for (int lane = 0; lane + stride < count; ++lane) lanes[lane] += lanes[lane + stride];
    if (count > stride) count = stride;
  }
  return lanes[0];
}

/// Steps 1 and the first fold of step 2 for one thread of a CUDA warp that sums a chunk: thread t owns lanes t and t +
/// 32, so stride 32 stays inside it and strides 16 .. 1 are shuffles over that many threads.
DETBENCH_HOST_DEVICE inline float sum_own_lanes(const float* values, std::int64_t count, int thread) {
  static_assert(reduction::lane_count == 64);
  float low = reduction::absent_value<float>(), high = reduction::absent_value<float>();
#ifdef __CUDA_ARCH__
#pragma unroll 8
#endif
  for (std::int64_t row = 0; row < count; row += reduction::lane_count) {
    if (row + thread < count) low += values[row + thread];
    if (row + thread + 32 < count) high += values[row + thread + 32];
  }
  return low + high;
}

/// What a bin's tree becomes as output.
DETBENCH_HOST_DEVICE inline float finish_bin(float tree) { return reduction::canonical_nan(0.0f + tree); }

}  // namespace detbench::scatter_add
