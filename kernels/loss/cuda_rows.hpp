// A GPU's kernels over rows: a warp for each. Included by .cu files alone.
#pragma once

#include "kernels/loss/rows.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::rows {

inline constexpr unsigned full_warp = 0xFFFFFFFFu;
inline constexpr int warps_per_block = simple_cuda::block_threads / 32;

/// The row that this warp takes first, and how many warps there are.
__device__ inline std::int64_t first_row() { return static_cast<std::int64_t>(blockIdx.x) * warps_per_block + threadIdx.x / 32; }
__device__ inline std::int64_t row_step() { return static_cast<std::int64_t>(gridDim.x) * warps_per_block; }

/// The largest element, which no order changes.
__device__ inline float row_maximum(const float* x, std::int64_t classes) {
  float top = x[0];
  for (std::int64_t j = threadIdx.x % 32; j < classes; j += 32) top = x[j] > top ? x[j] : top;
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(full_warp, top, distance);
    top = other > top ? other : top;
  }
  return top;
}

/// The sum of term(j) in the order of eight lanes. Each thread evaluates every 32nd term; thread t then adds, in ascending
/// order, the four terms of each round that belong to lane t % 8, so that four threads carry each lane alike and no lane
/// waits for a join. All 32 threads get the sum. Every thread of the warp has to call.
template <class Term>
__device__ float row_sum(std::int64_t classes, Term term) {
  const int thread = static_cast<int>(threadIdx.x) % 32, lane = thread % lanes;
  float sum = 0;
  for (std::int64_t base = 0; base < classes; base += 32) {
    const float own = base + thread < classes ? term(base + thread) : 0.0f;
#pragma unroll
    for (int round = 0; round < 4; ++round) {
      const float value = __shfl_sync(full_warp, own, round * lanes + lane);
      if (base + round * lanes + lane < classes) sum += value;
    }
  }
  float all[lanes];
#pragma unroll
  for (int l = 0; l < lanes; ++l) all[l] = __shfl_sync(full_warp, sum, l);
  return join_lanes(all);
}

inline unsigned blocks_for_rows(std::int64_t count) { return simple_cuda::blocks_for(count, warps_per_block); }

}  // namespace detbench::rows
