// Device memory from cudaMalloc or from a memory pool. Only files that are built with CUDA include this.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/result.hpp"

namespace detbench::cuda {

/// A pool of its own that keeps what is freed, so that the next allocation gets used memory at an address that depends on
/// the ones before: what a framework's caching allocator does.
class MemoryPool {
 public:
  /// Unsupported where the device has no memory pools.
  static Result<std::shared_ptr<MemoryPool>> make();
  ~MemoryPool() { cudaMemPoolDestroy(pool_); }
  MemoryPool(const MemoryPool&) = delete;
  cudaMemPool_t native() const { return pool_; }

 private:
  explicit MemoryPool(cudaMemPool_t pool) : pool_(pool) {}
  cudaMemPool_t pool_;
};

struct FreeDeviceMemory {
  std::shared_ptr<MemoryPool> pool;  ///< nullptr: cudaFree
  void operator()(void* memory) const;
};
using Memory = std::unique_ptr<void, FreeDeviceMemory>;

/// Usable by every stream when it returns.
Result<Memory> allocate_memory(std::size_t bytes, std::shared_ptr<MemoryPool> pool = nullptr);

}  // namespace detbench::cuda
