// What the CUDA reductions share: checked calls, 16-byte loads, the sum over a block. Included by .cu files alone.
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

inline bool is_aligned_to_16(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

/// Elements index .. index+3 (index a multiple of 4), all inside the vector. `Wide` needs a 16-byte aligned x; a
/// shifted buffer (placement scope) is read element by element, into the same lanes.
template <bool Wide, class T>
__device__ __forceinline__ void load4(const T* __restrict__ x, std::int64_t index, T (&values)[4]) {
  if constexpr (Wide && sizeof(T) == 4) {
    const float4 v = __ldg(reinterpret_cast<const float4*>(x + index));
    values[0] = v.x, values[1] = v.y, values[2] = v.z, values[3] = v.w;
  } else if constexpr (Wide) {
    const double2 a = __ldg(reinterpret_cast<const double2*>(x + index)),
                  b = __ldg(reinterpret_cast<const double2*>(x + index) + 1);
    values[0] = a.x, values[1] = a.y, values[2] = b.x, values[3] = b.y;
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = __ldg(x + index + i);
  }
}

/// The same near the end of the vector: absent_value() beyond it. Apart, because a branch per load keeps the compiler
/// from issuing several loads before the first is used.
template <class T>
__device__ __forceinline__ void load4_at_end(const T* __restrict__ x, std::int64_t index, std::int64_t n,
                                             T (&values)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = index + i < n ? __ldg(x + index + i) : absent_value<T>();
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

/// The sum of one thread's share when `threads` threads stride over the vector in groups of four elements: thread t
/// takes groups t, t + threads, ... in this order into four running sums, joined at the end. 128 bytes are
/// asked for at once: with 1024 resident threads a multiprocessor has 128 KiB in flight, several times what the latency
/// of HBM times its bandwidth asks for (some 26 KiB on an H200).
template <bool Wide, class T>
__device__ __forceinline__ T strided_sum(const T* __restrict__ x, std::int64_t n, std::int64_t thread,
                                         std::int64_t threads) {
  constexpr int batch = sizeof(T) == 4 ? 8 : 4;
  T sums[4] = {absent_value<T>(), absent_value<T>(), absent_value<T>(), absent_value<T>()};
  const std::int64_t full_groups = n / 4;
  std::int64_t group = thread;
  for (; group + (batch - 1) * threads < full_groups; group += batch * threads) {
    T values[batch][4];
#pragma unroll
    for (int b = 0; b < batch; ++b) load4<Wide>(x, (group + b * threads) * 4, values[b]);
#pragma unroll
    for (int b = 0; b < batch; ++b)
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[i] += values[b][i];
  }
  for (; group * 4 < n; group += threads) {
    T values[4];
    load4_at_end(x, group * 4, n, values);
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i] += values[i];
  }
  return fold_owned_lanes(sums);
}

}  // namespace detbench::reduction
