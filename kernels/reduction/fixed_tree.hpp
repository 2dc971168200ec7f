// The order of additions of the algorithm `fixed_tree`, in one place for CPU and CUDA. It is written on logical indices
// and virtual lanes alone, so threads, grid, block and instruction set cannot reach it (METHOD section 10):
//
//   1. The vector is cut into chunks of 2048 elements. Chunk c, virtual lane l (0..63) adds elements
//      2048 c + 64 r + l for r = 0, 1, .. 31, in this order. 64 lanes fill four AVX-512 registers, and 16 CUDA threads
//      that load four elements each; one row is 256 contiguous bytes of f32, so both read memory as fast as they can.
//   2. The lanes of a chunk are folded: lane l += lane l + s, for s = 32, 16, 8, 4, 2, 1.
//   3. Chunk sums meet in the binary tree that joins neighbours, level by level; a node without a right neighbour goes
//      up unchanged.
//
// What is missing (beyond the end of the vector) counts as -0.0, the one value that leaves every other unchanged when
// added to it, -0.0 included: padding cannot show in the bits.
//
// `kahan`, `neumaier` and `f64_accumulator` have the same chunks, lanes and trees; what a lane keeps and what its node is
// stands in lane_accumulators.hpp. A compensated lane stops at its last element instead of adding -0.0: Kahan's sum would
// apply a loss that is still open.
#pragma once

#include <cstdint>

#include "kernels/reduction/lane_accumulators.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

inline constexpr int lane_count = 64;
inline constexpr int chunk_rows = 32;
inline constexpr std::int64_t chunk_elements = std::int64_t{lane_count} * chunk_rows;

DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_count(std::int64_t n) {
  return (n + chunk_elements - 1) / chunk_elements;
}

/// Where row r of virtual lane l of a chunk lies.
DETBENCH_HOST_DEVICE constexpr std::int64_t element_index(std::int64_t chunk, int row, int lane) {
  return chunk * chunk_elements + std::int64_t{row} * lane_count + lane;
}

/// NaN is the one result whose bits IEEE leaves open: x86 keeps a payload or makes a negative one, a GPU makes
/// 0x7FFFFFFF. Every final sum of ours turns it into the positive quiet NaN without payload.
template <class T>
DETBENCH_HOST_DEVICE inline T canonical_nan(T value) {
  if (value == value) return value;
  if constexpr (sizeof(T) == 4) {
    const std::uint32_t bits = 0x7FC00000u;
    __builtin_memcpy(&value, &bits, sizeof value);
  } else {
    const std::uint64_t bits = 0x7FF8000000000000u;
    __builtin_memcpy(&value, &bits, sizeof value);
  }
  return value;
}

/// Step 2 on an array of 64 lanes.
template <class T>
DETBENCH_HOST_DEVICE inline T fold_lanes(T* lanes) {
  for (int stride = lane_count / 2; stride > 0; stride /= 2)
    for (int lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
  return lanes[0];
}

/// Step 3 in place on an array; count >= 1. Any aligned run of 2^k leaves can be joined first and its root put in the
/// place of the leaves: that is how threads and blocks share the tree.
template <class T>
DETBENCH_HOST_DEVICE inline T join_pairs(T* nodes, std::int64_t count) {
  for (; count > 1; count = (count + 1) / 2) {
    for (std::int64_t i = 0; i < count / 2; ++i) nodes[i] = nodes[2 * i] + nodes[2 * i + 1];
    if (count % 2 != 0) nodes[count / 2] = nodes[count - 1];
  }
  return nodes[0];
}

/// Step 3 over leaves that arrive one by one, in order, without storing them: a binary counter whose digit k holds the
/// root of a finished subtree of 2^k leaves. Up to 2^40 leaves.
template <class T>
class PairJoiner {
 public:
  DETBENCH_HOST_DEVICE void add(T leaf) {
    int level = 0;
    for (std::uint64_t digits = count_++; digits & 1u; digits >>= 1, ++level) leaf = roots_[level] + leaf;
    roots_[level] = leaf;
  }
  /// At least one leaf must have been added. Unfinished subtrees join from the right end, as in the level-by-level
  /// tree.
  DETBENCH_HOST_DEVICE T root() const {
    bool started = false;
    T sum = absent_value<T>();
    for (int level = 0; count_ >> level; ++level) {
      if (!(count_ >> level & 1u)) continue;
      sum = started ? roots_[level] + sum : roots_[level];
      started = true;
    }
    return sum;
  }

 private:
  std::uint64_t count_ = 0;
  T roots_[41];
};

/// CUDA's share of the lanes: 16 neighbouring threads work on one chunk and thread t of them owns lanes 4t .. 4t+3, so
/// that a row is one 16-byte load per thread.
inline constexpr int lanes_per_thread = 4;
inline constexpr int threads_per_chunk = lane_count / lanes_per_thread;

struct LaneOwner {
  int chunk_of_block;  ///< which of the chunks that a block sums at once
  int first_lane;
};
DETBENCH_HOST_DEVICE constexpr LaneOwner lane_owner(int thread) {
  return {thread / threads_per_chunk, thread % threads_per_chunk * lanes_per_thread};
}
/// Chunks that a block of this many threads sums at once: a power of two when the block size is one, so that a block's
/// sum is a node of the tree.
DETBENCH_HOST_DEVICE constexpr int chunks_per_block(int block_threads) { return block_threads / threads_per_chunk; }

/// The part of step 2 that stays inside one thread: strides 2 and 1 on the lanes 0..3 that thread 0 of a chunk owns.
/// Strides 32 .. 4 move lane l + s to lane l, which lies threads_apart(s) threads away at the same place.
template <class T>
DETBENCH_HOST_DEVICE inline T fold_owned_lanes(const T (&sums)[lanes_per_thread]) {
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}
DETBENCH_HOST_DEVICE constexpr int threads_apart(int stride) { return stride / lanes_per_thread; }

}  // namespace detbench::reduction
