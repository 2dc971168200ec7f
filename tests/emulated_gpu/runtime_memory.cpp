// Allocation, copies and fills.
#include <cstring>
#include <string>

#include "tests/emulated_gpu/runtime.hpp"

using namespace detbench::emulated;

namespace {

using Kind = DeviceMemory::Kind;

/// Takes `bytes` of the pool's own or of new memory; nullptr: none left.
void* take(Runtime& state, CUmemPoolHandle_st& pool, std::size_t bytes) {
  // Used memory first, as a caching allocator does it, even if it is up to twice as large as asked for.
  const auto found = pool.cached.lower_bound(bytes);
  if (found != pool.cached.end() && found->first <= 2 * bytes) {
    void* memory = found->second;
    state.pool_allocations[memory] = {&pool, found->first};
    pool.cached_bytes -= found->first;
    pool.cached.erase(found);
    return memory;
  }
  void* memory = state.memory.allocate(bytes, false);
  if (memory) state.pool_allocations[memory] = {&pool, bytes};
  return memory;
}

/// The memory goes back to its pool, or out of the world where that is destroyed or full.
void give_back(Runtime& state, void* memory) {
  const auto found = state.pool_allocations.find(memory);
  if (found == state.pool_allocations.end()) return;
  const auto [pool, bytes] = found->second;
  state.pool_allocations.erase(found);
  state.memory.set_live(memory, false);
  if (!pool || pool->cached_bytes + bytes > pool->release_threshold) {
    state.memory.release(memory);
    return;
  }
  pool->cached.emplace(bytes, memory);
  pool->cached_bytes += bytes;
}

enum class Side { device, host };

/// Whether [memory, memory + bytes) is of the side that a copy's kind says.
bool is_of(const DeviceMemory& all, const void* memory, std::size_t bytes, Side side) {
  return side == Side::device ? all.holds(memory, bytes, Kind::device) : !all.touches_device(memory, bytes);
}

cudaError_t check_copy(const DeviceMemory& memory, const void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDefault) {
    const auto fits = [&](const void* at) { return is_of(memory, at, bytes, Side::device) || is_of(memory, at, bytes, Side::host); };
    return fits(target) && fits(source) ? cudaSuccess : cudaErrorInvalidValue;
  }
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  const Side from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice ? Side::device : Side::host;
  const Side to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice ? Side::device : Side::host;
  return is_of(memory, target, bytes, to) && is_of(memory, source, bytes, from) ? cudaSuccess : cudaErrorInvalidValue;
}

/// A copy or fill finds its memory when its turn comes: what was freed meanwhile, or comes out of a pool later in another stream,
/// is not there.
void require_live(const DeviceMemory& memory, const void* start, std::size_t bytes, const char* what) {
  if (!memory.touches_device(start, bytes)) return;
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const auto [first, last] = memory.allocation_of(address);
  if (address < first || address + bytes > last)
    throw Fault(Fault::Kind::illegal_address, std::string(what) + " of " + std::to_string(bytes) + " bytes: memory that is not allocated (any more, or yet)");
}

Command copy(const DeviceMemory& memory, void* target, const void* source, std::size_t bytes) {
  return [=, &memory]() -> std::unique_ptr<Run> {
    require_live(memory, target, bytes, "the target of a copy");
    require_live(memory, source, bytes, "the source of a copy");
    std::memmove(target, source, bytes);
    return nullptr;
  };
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return call([&](Runtime& state, auto&) {
    if (!memory) return cudaErrorInvalidValue;
    if (const auto error = refuse_unsafe(); error != cudaSuccess) return error;
    *memory = bytes == 0 ? nullptr : state.memory.allocate(bytes, true);
    return bytes == 0 || *memory ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFree(void* memory) {
  return call([&](Runtime& state, auto& lock) {
    if (!memory) return cudaSuccess;
    if (const auto error = refuse_unsafe(); error != cudaSuccess) return error;
    if (!state.memory.starts(memory, Kind::device)) return cudaErrorInvalidValue;
    state.device.wait_for_all(lock);
    if (state.pool_allocations.contains(memory))
      give_back(state, memory);
    else
      state.memory.release(memory);
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned flags) {
  return call([&](Runtime& state, auto&) {
    if (!memory || flags > (cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined)) return cudaErrorInvalidValue;
    if (const auto error = refuse_unsafe(); error != cudaSuccess) return error;
    *memory = state.memory.allocate_host(bytes);
    return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFreeHost(void* memory) {
  return call([&](Runtime& state, auto& lock) {
    if (!memory) return cudaSuccess;
    if (const auto error = refuse_unsafe(); error != cudaSuccess) return error;
    if (!state.memory.starts(memory, Kind::pinned_host)) return cudaErrorInvalidValue;
    state.device.wait_for_all(lock);
    state.memory.release(memory);
    return cudaSuccess;
  });
}

/// Host and device have one address space.
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned flags) {
  return call([&](Runtime& state, auto&) {
    if (!device || flags != 0 || !state.memory.holds(host, 1, Kind::pinned_host)) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return call([&](Runtime& state, auto&) {
    if (!free || !total) return cudaErrorInvalidValue;
    *total = DeviceMemory::capacity_bytes;
    *free = *total - state.memory.used_bytes();
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  return call([&](Runtime& state, auto&) {
    if (!pool || !properties || properties->allocType != cudaMemAllocationTypePinned ||
        properties->location.type != cudaMemLocationTypeDevice || properties->location.id != 0)
      return cudaErrorInvalidValue;
    *pool = state.pools.add(std::make_unique<CUmemPoolHandle_st>());
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  return call([&](Runtime& state, auto&) {
    if (!state.pools.find(pool) || attribute != cudaMemPoolAttrReleaseThreshold || !value) return cudaErrorInvalidValue;
    std::memcpy(&pool->release_threshold, value, sizeof pool->release_threshold);
    return cudaSuccess;
  });
}

/// What is still allocated lives on until it is freed.
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  return call([&](Runtime& state, auto&) {
    if (!state.pools.find(pool)) return cudaErrorInvalidValue;
    for (const auto& [bytes, memory] : pool->cached) state.memory.release(memory);
    for (auto& [memory, allocation] : state.pool_allocations)
      if (allocation.pool == pool) allocation.pool = nullptr;
    state.pools.remove(pool);
    return cudaSuccess;
  });
}

/// Kernels reach the memory from this point of the stream on.
cudaError_t cudaMallocFromPoolAsync(void** memory, std::size_t bytes, cudaMemPool_t pool, cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (!memory || bytes == 0 || !state.pools.find(pool)) return cudaErrorInvalidValue;
    if (stream->capture) return cudaErrorNotSupported;  // memory nodes of graphs are none of this GPU's
    void* taken = take(state, *pool, bytes);
    if (!taken) return cudaErrorMemoryAllocation;
    *memory = taken;
    return enqueue(*stream, [&state, taken]() -> std::unique_ptr<Run> {
      state.memory.set_live(taken, true);
      return nullptr;
    });
  });
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (!state.memory.starts(memory, Kind::device)) return cudaErrorInvalidValue;
    if (stream->capture) return cudaErrorNotSupported;
    return enqueue(*stream, [&state, memory]() -> std::unique_ptr<Run> {
      const std::lock_guard lock(state.mutex);
      if (state.pool_allocations.contains(memory))
        give_back(state, memory);
      else
        state.memory.release(memory);
      return nullptr;
    });
  });
}

/// With pageable memory, too, the copy happens when its turn comes, as CUDA allows: who reads a target or reuses a source without
/// having waited shall be found out.
cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (bytes == 0) return cudaSuccess;
    if (const auto error = check_copy(state.memory, target, source, bytes, kind); error != cudaSuccess) return error;
    return enqueue(*stream, copy(state.memory, target, source, bytes));
  });
}

/// On the legacy default stream. The host waits, except for copies within the device.
cudaError_t cudaMemcpy(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  return call([&](Runtime& state, auto& lock) {
    if (const auto error = refuse_unsafe(); error != cudaSuccess) return error;
    if (bytes == 0) return cudaSuccess;
    if (const auto error = check_copy(state.memory, target, source, bytes, kind); error != cudaSuccess) return error;
    if (const auto error = enqueue(state.legacy, copy(state.memory, target, source, bytes)); error != cudaSuccess) return error;
    const auto within = [&](const void* at) { return state.memory.holds(at, bytes, Kind::device); };
    if (!within(target) || !within(source)) state.device.wait(lock, TaskPointer(state.legacy.tail));
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* target, int value, std::size_t bytes, cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (bytes == 0) return cudaSuccess;
    if (!state.memory.holds(target, bytes, Kind::device) && !state.memory.holds(target, bytes, Kind::pinned_host)) return cudaErrorInvalidValue;
    return enqueue(*stream, [=, &memory = state.memory]() -> std::unique_ptr<Run> {
      require_live(memory, target, bytes, "a fill");
      std::memset(target, value, bytes);
      return nullptr;
    });
  });
}
}
