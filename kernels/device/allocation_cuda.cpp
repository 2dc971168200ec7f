#include <cstdint>

#include "kernels/device/cuda_allocation.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench::cuda {

Result<std::shared_ptr<MemoryPool>> MemoryPool::make() {
  int supported = 0;
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, 0));
  if (!supported) return unsupported("this GPU or driver has no memory pools");
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = 0;
  cudaMemPool_t pool = nullptr;
  DETBENCH_CUDA_TRY(cudaMemPoolCreate(&pool, &properties));
  std::shared_ptr<MemoryPool> owner(new MemoryPool(pool));
  std::uint64_t keep_all = UINT64_MAX;
  DETBENCH_CUDA_TRY(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all));
  return owner;
}

void FreeDeviceMemory::operator()(void* memory) const {
  if (!pool) {
    cudaFree(memory);  // waits for the device by itself
    return;
  }
  // The default stream waits for none of ours: whoever still uses this memory has to be through.
  cudaDeviceSynchronize();
  cudaFreeAsync(memory, nullptr);
  cudaStreamSynchronize(nullptr);
}

Result<Memory> allocate_memory(std::size_t bytes, std::shared_ptr<MemoryPool> pool) {
  void* memory = nullptr;
  if (!pool) {
    DETBENCH_CUDA_TRY(cudaMalloc(&memory, bytes));
    return Memory(memory);
  }
  DETBENCH_CUDA_TRY(cudaMallocFromPoolAsync(&memory, bytes, pool->native(), nullptr));
  Memory owner(memory, FreeDeviceMemory{std::move(pool)});
  DETBENCH_CUDA_TRY(cudaStreamSynchronize(nullptr));
  return owner;
}

}  // namespace detbench::cuda
