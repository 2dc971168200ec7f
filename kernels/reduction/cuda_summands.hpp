// What CUDA kernels over summands share beside their walk (cuda_walk.hpp): nodes that move between threads. Included by .cu
// files alone.
#pragma once

#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/cuda_walk.hpp"

namespace detbench::reduction {

// What lanes hand on moves between threads like a number.
template <class Node>
__device__ __forceinline__ Node from_thread_below(Node node, int distance, int width = 32) {
  return __shfl_down_sync(full_warp, node, distance, width);
}
__device__ __forceinline__ CompensatedNode from_thread_below(CompensatedNode node, int distance, int width = 32) {
  return {__shfl_down_sync(full_warp, node.sum, distance, width), __shfl_down_sync(full_warp, node.loss, distance, width)};
}

}  // namespace detbench::reduction
