// What the CUDA segmented sums share: a warp takes a window of one chunk of positions. Included by .cu files alone.
#pragma once

#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/segmented_sum/segmented_problem.hpp"
#include "kernels/segmented_sum/warp_chunks.hpp"

namespace detbench::segmented_sum {

using reduction::block_threads;
using reduction::checked;
using reduction::launched;

inline constexpr int block_warps = block_threads / 32;

/// Blocks whose warps take `windows` in turn; bits do not depend on their number.
inline Result<int> grid_for_windows(const Windows& windows) { return reduction::filling_grid((windows.count() + block_warps - 1) / block_warps); }

inline cudaStream_t stream_of(void* native_stream) { return static_cast<cudaStream_t>(native_stream); }

/// Calls visit(window) for the windows of the calling warp.
template <class Visit>
__device__ __forceinline__ void for_windows_of_warp(const Windows& windows, Visit&& visit) {
  const std::int64_t warps = std::int64_t{gridDim.x} * block_warps;
  for (std::int64_t window = std::int64_t{blockIdx.x} * block_warps + threadIdx.x / 32; window < windows.count(); window += warps) visit(window);
}

/// The fixed tree of at most one chunk by a warp; lane 0's. Not for an empty one.
template <class S>
__device__ __forceinline__ typename Call<S>::Sum chunk_by_warp(const S* __restrict__ x, std::int64_t n) {
  return reduction::warp_sum(sum_own_lanes(x, n, static_cast<int>(threadIdx.x) % 32));
}

}  // namespace detbench::segmented_sum
