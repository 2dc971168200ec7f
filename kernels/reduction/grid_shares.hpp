// The order of additions of `two_pass` and `last_block`, in one place for CPU and CUDA: the order of a grid of 1024 blocks
// of 256 threads that load four neighbouring elements each, whoever carries it out. 1024 such blocks are one wave on an
// H100 or H200 (132 multiprocessors, 8 blocks each); the number is part of the order and the same everywhere.
//
//   1. Element i belongs to virtual lane i mod 2^20. Each lane adds its elements in order, from -0.0 on.
//   2. Thread t of the grid owns lanes 4t .. 4t+3 and folds them: (0 + 2) + (1 + 3).
//   3. The 32 threads of a warp are folded: thread l += thread l + s, for s = 16, 8, 4, 2, 1; then the 8 warps of a block
//      with s = 4, 2, 1. That is the block's partial, one of 1024.
//   4. Partials meet in the same way as the lanes of one block: by four, by warp, by block.
//
// Where a vector is shorter than 2^20 the lanes without an element hold -0.0 and show in nothing, so blocks without one can
// be left out and their partials set to -0.0.
#pragma once

#include <cstdint>

#include "kernels/reduction/lane_accumulators.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

inline constexpr int share_blocks = 1024;
inline constexpr int share_block_threads = 256;
inline constexpr int share_block_lanes = share_block_threads * 4;
inline constexpr std::int64_t share_lanes = std::int64_t{share_blocks} * share_block_lanes;
static_assert(share_lanes == std::int64_t{1} << 20 && share_blocks == share_block_lanes);

/// Blocks that have an element; the others' partials are absent_value().
DETBENCH_HOST_DEVICE constexpr int occupied_share_blocks(std::int64_t n) {
  return n >= share_lanes ? share_blocks : static_cast<int>((n + share_block_lanes - 1) / share_block_lanes);
}

/// Steps 2 and 3, or 4, on an array of 1024 lanes or partials. Loops that a compiler can turn into vectors.
template <class A>
DETBENCH_HOST_DEVICE inline A fold_share_block(const A* lanes) {
  A threads[share_block_threads];
  for (int t = 0; t < share_block_threads; ++t)
    threads[t] = (lanes[4 * t] + lanes[4 * t + 2]) + (lanes[4 * t + 1] + lanes[4 * t + 3]);
  // All eight warps at once: lane l of warp w is thread 32 w + l, and what the other lanes become does not matter.
  for (int w = 0; w < share_block_threads; w += 32) {
    for (int l = 0; l < 16; ++l) threads[w + l] += threads[w + l + 16];
    for (int l = 0; l < 8; ++l) threads[w + l] += threads[w + l + 8];
    for (int l = 0; l < 4; ++l) threads[w + l] += threads[w + l + 4];
    for (int l = 0; l < 2; ++l) threads[w + l] += threads[w + l + 2];
    threads[w] += threads[w + 1];
  }
  // The eight warps, with strides 4, 2, 1.
  const A low = (threads[0] + threads[128]) + (threads[64] + threads[192]);
  const A high = (threads[32] + threads[160]) + (threads[96] + threads[224]);
  return low + high;
}

}  // namespace detbench::reduction
