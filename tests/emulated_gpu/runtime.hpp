// The state behind the CUDA runtime's functions, and how each of them begins and ends.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/emulated_gpu/device_thread.hpp"
#include "tests/emulated_gpu/memory.hpp"
#include "tests/emulated_gpu/streams.hpp"

/// What cudaMemPool_t points to.
struct CUmemPoolHandle_st {
  std::uint64_t release_threshold = 0;           ///< bytes that it keeps when they are freed
  std::multimap<std::size_t, void*> cached{};    ///< by size
  std::size_t cached_bytes = 0;
};

namespace detbench::emulated {

/// Objects of one kind, known by their address. A handle that is no such object is an error, never a crash.
template <class Object>
class Handles {
 public:
  Object* add(std::unique_ptr<Object> object) {
    Object* address = object.get();
    objects_.emplace(address, std::move(object));
    return address;
  }
  Object* find(Object* handle) const { return objects_.contains(handle) ? handle : nullptr; }
  bool remove(Object* handle) { return objects_.erase(handle) != 0; }
  const std::unordered_map<Object*, std::unique_ptr<Object>>& all() const { return objects_; }

 private:
  std::unordered_map<Object*, std::unique_ptr<Object>> objects_;
};

struct Runtime {
  Runtime() : device(mutex, schedule) { legacy.legacy = true; }

  std::mutex mutex;  ///< of everything below but `memory`
  const Schedule schedule = schedule_of_environment();
  const Shape shape{};
  DeviceMemory memory;
  DeviceThread device;
  bool ended = false;

  CUstream_st legacy;
  Handles<CUstream_st> streams;
  Handles<CUevent_st> events;
  Handles<CUgraph_st> graphs;
  Handles<CUgraphExec_st> executables;
  Handles<CUmemPoolHandle_st> pools;
  struct PoolAllocation {
    CUmemPoolHandle_st* pool;
    std::size_t bytes;
  };
  std::unordered_map<const void*, PoolAllocation> pool_allocations;
  std::vector<CapturePointer> captures;  ///< not ended

  /// The stream that a handle means; nullptr: none.
  CUstream_st* stream(cudaStream_t handle);
};

/// Never destroyed.
Runtime& runtime();
/// Ends the device thread: every later call returns cudaErrorCudartUnloading.
void stop_device();

/// Remembers an error for cudaGetLastError() of this thread.
cudaError_t note(cudaError_t error);
cudaError_t take_noted();
cudaError_t noted();

/// Calls body(lock) with the runtime's mutex held, unless the device is lost, and notes what it returns.
template <class Body>
cudaError_t call(Body body) {
  auto& state = runtime();
  DeviceThread::Lock lock(state.mutex);
  if (state.ended) return note(cudaErrorCudartUnloading);
  if (state.device.lost() != cudaSuccess) return note(state.device.lost());
  const cudaError_t error = body(state, lock);
  // A call that waited may be the one that learns of it.
  return note(error == cudaSuccess ? state.device.lost() : error);
}

}  // namespace detbench::emulated
