// Reading, writing and copying on a GPU: 16 bytes per thread and instruction, 128 bytes asked for before the first is
// used, on a grid that fills every multiprocessor.
#include <cuda_runtime.h>

#include "kernels/device/cuda_check.hpp"
#include "kernels/memory_traffic/traffic_kernels.hpp"

namespace detbench::memory_traffic {
namespace {

constexpr int block_threads = 256;
constexpr int in_flight = 8;  ///< loads of 16 bytes per thread before the first is used

/// Blocks at eight per multiprocessor (2048 threads, all there are on sm_80 and sm_90), no more than there is work for.
Result<int> grid_for(std::int64_t quads) {
  int device = 0, processors = 0;
  DETBENCH_CUDA_TRY(cudaGetDevice(&device));
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  const std::int64_t wanted = (quads + block_threads - 1) / block_threads, most = std::int64_t{processors} * 8;
  return static_cast<int>(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

__device__ __forceinline__ std::uint64_t words_of(const uint4& quad) {
  return (std::uint64_t{quad.y} << 32 | quad.x) + (std::uint64_t{quad.w} << 32 | quad.z);
}

/// `sum` starts at 0. Integer addition is associative, so one atomic per block gives the same bits in any order.
__global__ void __launch_bounds__(block_threads) add_words(const uint4* __restrict__ source, std::int64_t quads, unsigned long long* sum) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  std::int64_t at = std::int64_t{blockIdx.x} * block_threads + threadIdx.x;
  std::uint64_t own = 0;
  for (; at + (in_flight - 1) * step < quads; at += in_flight * step) {
    uint4 values[in_flight];
#pragma unroll
    for (int i = 0; i < in_flight; ++i) values[i] = __ldg(source + at + i * step);
#pragma unroll
    for (int i = 0; i < in_flight; ++i) own += words_of(values[i]);
  }
  for (; at < quads; at += step) own += words_of(__ldg(source + at));
  __shared__ unsigned long long warps[block_threads / 32];
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) own += __shfl_down_sync(0xFFFFFFFFu, own, distance);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = own;
  __syncthreads();
  if (threadIdx.x == 0) {
    unsigned long long total = 0;
    for (const auto warp : warps) total += warp;
    atomicAdd(sum, total);
  }
}

__global__ void __launch_bounds__(block_threads) write_words(uint4* target, std::int64_t quads) {
  constexpr unsigned word = 0x01010101u * written_byte;
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t at = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; at < quads; at += step)
    target[at] = make_uint4(word, word, word, word);
}

__global__ void __launch_bounds__(block_threads) move_words(uint4* __restrict__ target, const uint4* __restrict__ source, std::int64_t quads) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  std::int64_t at = std::int64_t{blockIdx.x} * block_threads + threadIdx.x;
  for (; at + (in_flight - 1) * step < quads; at += in_flight * step) {
    uint4 values[in_flight];
#pragma unroll
    for (int i = 0; i < in_flight; ++i) values[i] = __ldg(source + at + i * step);
#pragma unroll
    for (int i = 0; i < in_flight; ++i) target[at + i * step] = values[i];
  }
  for (; at < quads; at += step) target[at] = __ldg(source + at);
}

cudaStream_t stream_of(void* native_stream) { return static_cast<cudaStream_t>(native_stream); }

}  // namespace

Status cuda_present() { return {}; }

Status cuda_word_sum(const void* source, std::int64_t bytes, void* sum, void* native_stream) {
  const auto grid = grid_for(bytes / 16);
  if (!grid) return tl::unexpected(grid.error());
  DETBENCH_CUDA_TRY(cudaMemsetAsync(sum, 0, 8, stream_of(native_stream)));
  add_words<<<*grid, block_threads, 0, stream_of(native_stream)>>>(static_cast<const uint4*>(source), bytes / 16,
                                                                  static_cast<unsigned long long*>(sum));
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status cuda_fill_words(void* target, std::int64_t bytes, void* native_stream) {
  const auto grid = grid_for(bytes / 16);
  if (!grid) return tl::unexpected(grid.error());
  write_words<<<*grid, block_threads, 0, stream_of(native_stream)>>>(static_cast<uint4*>(target), bytes / 16);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status cuda_copy_words(void* target, const void* source, std::int64_t bytes, void* native_stream) {
  const auto grid = grid_for(bytes / 16);
  if (!grid) return tl::unexpected(grid.error());
  move_words<<<*grid, block_threads, 0, stream_of(native_stream)>>>(static_cast<uint4*>(target), static_cast<const uint4*>(source), bytes / 16);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status cuda_runtime_memset(void* target, std::int64_t bytes, void* native_stream) {
  DETBENCH_CUDA_TRY(cudaMemsetAsync(target, written_byte, static_cast<std::size_t>(bytes), stream_of(native_stream)));
  return {};
}

Status cuda_runtime_memcpy(void* target, const void* source, std::int64_t bytes, void* native_stream) {
  DETBENCH_CUDA_TRY(cudaMemcpyAsync(target, source, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, stream_of(native_stream)));
  return {};
}

}  // namespace detbench::memory_traffic
