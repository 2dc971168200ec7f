// What the CUDA kernels of small operations share: one thread per element over a stride of the grid. A kernel is a
// functor of the element's index whose arithmetic a C++ compiler can build too, so that tests run the very same code on
// the host. Included by .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/device/cuda_check.hpp"

namespace detbench::simple_cuda {

inline constexpr int block_threads = 256;
inline constexpr std::int64_t most_blocks = 1 << 16;

inline unsigned blocks_for(std::int64_t pieces, std::int64_t per_block = block_threads) {
  const std::int64_t blocks = (pieces + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks);
}

inline cudaStream_t stream_of(void* native_stream) { return static_cast<cudaStream_t>(native_stream); }

/// Calls f(i) for every i below n; no order among them.
template <class Index, class F>
__global__ void __launch_bounds__(block_threads) for_each_index(Index n, F f) {
  const Index step = static_cast<Index>(gridDim.x) * block_threads;
  for (Index i = static_cast<Index>(blockIdx.x) * block_threads + threadIdx.x; i < n; i += step) f(i);
}

/// Enqueues f over [0, n). Divisions of 32-bit indices cost a quarter of those of 64-bit ones, so they are used where n
/// allows: an index and a step of the grid (at most 2^24) stay below 2^32.
template <class F>
Status enqueue_for_each(std::int64_t n, const F& f, void* native_stream) {
  if (n <= 0) return {};
  const unsigned blocks = blocks_for(n);
  if (n < (std::int64_t{1} << 31))
    for_each_index<<<blocks, block_threads, 0, stream_of(native_stream)>>>(static_cast<std::uint32_t>(n), f);
  else
    for_each_index<<<blocks, block_threads, 0, stream_of(native_stream)>>>(static_cast<std::uint64_t>(n), f);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

/// Zeroes f32 memory: all bits zero is +0.
inline Status enqueue_zero(void* memory, std::size_t bytes, void* native_stream) {
  DETBENCH_CUDA_TRY(cudaMemsetAsync(memory, 0, bytes, stream_of(native_stream)));
  return {};
}

/// What scattering kernels add with: contributions that meet in one element arrive in any order.
struct AtomicAdd {
  __device__ void operator()(float* target, float value) const { atomicAdd(target, value); }
};

}  // namespace detbench::simple_cuda
