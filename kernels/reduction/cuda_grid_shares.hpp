// The order of grid_shares.hpp on CUDA, carried out by the grid that it describes: 1024 blocks whatever the GPU. An H200 holds
// six of them on a multiprocessor at once, a smaller GPU works through them in more waves, with the same bits.
// Included by .cu files alone.
#pragma once

#include "kernels/reduction/cuda_summands.hpp"
#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/grid_shares.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

static_assert(share_block_threads == block_threads);

/// Steps 1 to 3: the partial of this block, in thread 0. Thread t of the grid owns lanes 4t .. 4t+3, and one round of the whole
/// grid is share_lanes elements.
template <class Source>
__device__ __forceinline__ typename Source::Accumulator block_partial(const Source& source, std::int64_t n, bool wide) {
  const auto own = strided_share(source, n, wide, std::int64_t{blockIdx.x} * share_block_threads + threadIdx.x, share_lanes / 4);
  return block_sum<typename Source::Accumulator, share_block_threads>(own);
}

/// Step 4 by one block; thread t takes partials 4t .. 4t+3. Those of blocks without an element are absent_value().
template <class A>
__device__ __forceinline__ void join_partials(const A* partials, int occupied, A* sum) {
  PlainLane<A> lanes[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int partial = static_cast<int>(threadIdx.x) * 4 + i;
    if (partial < occupied) lanes[i].sum = __ldcg(partials + partial);
  }
  const A total = block_sum<A, share_block_threads>(fold_lanes_of_thread(lanes));
  if (threadIdx.x == 0) *sum = canonical_nan(total);
}

}  // namespace detbench::reduction
