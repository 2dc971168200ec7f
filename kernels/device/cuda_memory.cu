// Poison, guards and eviction on the GPU.
#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_kernels.hpp"
#include "kernels/device/guard.hpp"
#include "kernels/device/poison.hpp"

namespace detbench::cuda {
namespace {

constexpr int block_threads = 256;

__device__ std::int64_t first_index() { return static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; }
__device__ std::int64_t index_step() { return static_cast<std::int64_t>(gridDim.x) * block_threads; }

/// Whole words of 8 bytes at a multiple of 8.
__global__ void __launch_bounds__(block_threads)
    poison_aligned(std::uint64_t* memory, std::int64_t words, Poison poison, std::uint64_t seed) {
  for (std::int64_t i = first_index(); i < words; i += index_step())
    memory[i] = poison_words(poison, seed, static_cast<std::uint64_t>(i));
}

/// Bytes [first, bytes) at any address.
__global__ void __launch_bounds__(block_threads)
    poison_bytes(unsigned char* memory, std::int64_t first, std::int64_t bytes, Poison poison, std::uint64_t seed) {
  for (std::int64_t i = first + first_index(); i < bytes; i += index_step())
    memory[i] =
        static_cast<unsigned char>(poison_words(poison, seed, static_cast<std::uint64_t>(i / 8)) >> 8 * (i % 8));
}

__global__ void __launch_bounds__(block_threads) guard_bytes_kernel(unsigned char* zone, std::int64_t bytes) {
  for (std::int64_t i = first_index(); i < bytes; i += index_step()) zone[i] = guard_byte(static_cast<std::size_t>(i));
}

__global__ void __launch_bounds__(block_threads) evict(uint4* memory, std::int64_t vectors, std::uint32_t round) {
  for (std::int64_t i = first_index(); i < vectors; i += index_step())
    memory[i] = make_uint4(round, static_cast<std::uint32_t>(i), round, static_cast<std::uint32_t>(i));
}

unsigned grid_for(std::size_t items) {
  const std::size_t blocks = (items + block_threads - 1) / block_threads;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

}  // namespace

Status enqueue_poison(Region region, Poison poison, std::uint64_t seed, cudaStream_t stream) {
  auto* memory = static_cast<unsigned char*>(region.data);
  std::size_t done = 0;
  if (reinterpret_cast<std::uintptr_t>(memory) % 8 == 0 && region.bytes >= 8) {
    const std::size_t words = region.bytes / 8;
    poison_aligned<<<grid_for(words), block_threads, 0, stream>>>(reinterpret_cast<std::uint64_t*>(memory),
                                                                  static_cast<std::int64_t>(words), poison, seed);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    done = words * 8;
  }
  if (done == region.bytes) return {};
  poison_bytes<<<grid_for(region.bytes - done), block_threads, 0, stream>>>(
      memory, static_cast<std::int64_t>(done), static_cast<std::int64_t>(region.bytes), poison, seed);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_guard(void* zone, std::size_t bytes, cudaStream_t stream) {
  guard_bytes_kernel<<<grid_for(bytes), block_threads, 0, stream>>>(static_cast<unsigned char*>(zone),
                                                                    static_cast<std::int64_t>(bytes));
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_eviction(void* memory, std::size_t bytes, std::uint32_t round, cudaStream_t stream) {
  evict<<<grid_for(bytes / 16), block_threads, 0, stream>>>(static_cast<uint4*>(memory),
                                                            static_cast<std::int64_t>(bytes / 16), round);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench::cuda
