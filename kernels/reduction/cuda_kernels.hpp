// What the CUDA reductions share: checked calls, grids, the sum over a block. Included by .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/result.hpp"

namespace detbench::reduction {

inline Status checked(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // off the runtime, or the next launch's check would see it again
  return failure(std::string(what) + ": " + cudaGetErrorString(error),
                 error == cudaErrorMemoryAllocation ? Reason::Kind::out_of_memory : Reason::Kind::failed);
}
/// A launch reports bad configurations through the last error.
inline Status launched(const char* kernel) { return checked(cudaGetLastError(), kernel); }

inline constexpr int block_threads = 256;

/// Blocks that fill the GPU at eight per multiprocessor (2048 threads, all there are on sm_80 and sm_90), but no more
/// than the work has pieces. Only for kernels whose bits do not depend on the grid, or that promise none.
inline Result<int> filling_grid(std::int64_t pieces) {
  int device = 0, processors = 0;
  if (auto s = checked(cudaGetDevice(&device), "cudaGetDevice"); !s) return tl::unexpected(s.error());
  if (auto s = checked(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
                       "cudaDeviceGetAttribute");
      !s)
    return tl::unexpected(s.error());
  const std::int64_t grid = std::int64_t{processors} * 8;
  return static_cast<int>(pieces < grid ? (pieces > 0 ? pieces : 1) : grid);
}

inline constexpr unsigned full_warp = 0xFFFFFFFFu;

/// Lane l += lane l + 16, then 8, 4, 2, 1: a fixed tree; the sum is lane 0's.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_down_sync(full_warp, value, distance);
  return value;
}

/// The same tree over warps through shared memory; the sum is thread 0's. Threads a multiple of 32, at most 1024.
template <class T, int Threads>
__device__ __forceinline__ T block_sum(T value) {
  __shared__ T warps[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  value = warp_sum(value);
  if (lane == 0) warps[warp] = value;
  __syncthreads();
  if (warp == 0) value = warp_sum(lane < Threads / 32 ? warps[lane] : absent_value<T>());
  __syncthreads();
  return value;
}

}  // namespace detbench::reduction
