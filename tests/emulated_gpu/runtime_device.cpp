// What the emulated GPU says of itself: few multiprocessors and little memory, otherwise the limits of compute capability 9.0.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/emulated_gpu/green_contexts.hpp"
#include "tests/emulated_gpu/limits.hpp"
#include "tests/emulated_gpu/runtime.hpp"

using namespace detbench::emulated;

namespace {

constexpr int cuda_version = CUDART_VERSION, bus = 0xFF;
constexpr int clock_khz = 1'000'000;  // of nothing real: an emulated GPU has no clock

cudaError_t attribute(int& value, cudaDeviceAttr asked, const Shape& shape) {
  switch (asked) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: value = limits::threads_per_block; break;
    case cudaDevAttrMaxBlockDimZ: value = limits::block_z; break;
    case cudaDevAttrMaxGridDimX: value = limits::grid_x; break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ: value = limits::grid_yz; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: value = static_cast<int>(shape.static_shared_bytes); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: value = static_cast<int>(shape.shared_bytes_per_block); break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: value = limits::shared_bytes_per_multiprocessor; break;
    case cudaDevAttrReservedSharedMemoryPerBlock: value = limits::reserved_shared_bytes; break;
    case cudaDevAttrTotalConstantMemory: value = limits::constant_bytes; break;
    case cudaDevAttrWarpSize: value = limits::warp_lanes; break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: value = limits::registers; break;
    case cudaDevAttrMultiProcessorCount: value = shape.multiprocessors; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: value = limits::threads_per_multiprocessor; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: value = limits::blocks_per_multiprocessor; break;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate: value = clock_khz; break;
    case cudaDevAttrGlobalMemoryBusWidth: value = limits::memory_bus_bits; break;
    case cudaDevAttrL2CacheSize: value = limits::l2_bytes; break;
    case cudaDevAttrComputeCapabilityMajor: value = 9; break;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrMemoryPoolsSupported: value = 1; break;
    case cudaDevAttrComputeCapabilityMinor:
    case cudaDevAttrIntegrated:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrManagedMemory:
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrClusterLaunch:
    case cudaDevAttrMpsEnabled: value = 0; break;
    default: return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return call([&](Runtime&, auto&) {
    *count = 1;
    return cudaSuccess;
  });
}
cudaError_t cudaGetDevice(int* device) {
  return call([&](Runtime&, auto&) {
    *device = 0;
    return cudaSuccess;
  });
}
cudaError_t cudaSetDevice(int device) {
  return call([&](Runtime&, auto&) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr asked, int device) {
  return call([&](Runtime& state, auto&) {
    if (device != 0) return cudaErrorInvalidDevice;
    return value ? attribute(*value, asked, state.shape) : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call([&](Runtime& state, auto&) {
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = {};
    std::strcpy(properties->name, "Emulated GPU");
    properties->totalGlobalMem = DeviceMemory::capacity_bytes;
    properties->sharedMemPerBlock = state.shape.static_shared_bytes;
    properties->sharedMemPerBlockOptin = state.shape.shared_bytes_per_block;
    properties->sharedMemPerMultiprocessor = limits::shared_bytes_per_multiprocessor;
    properties->reservedSharedMemPerBlock = limits::reserved_shared_bytes;
    properties->regsPerBlock = properties->regsPerMultiprocessor = limits::registers;
    properties->warpSize = limits::warp_lanes;
    properties->maxThreadsPerBlock = properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = limits::threads_per_block;
    properties->maxThreadsDim[2] = limits::block_z;
    properties->maxGridSize[0] = limits::grid_x;
    properties->maxGridSize[1] = properties->maxGridSize[2] = limits::grid_yz;
    properties->totalConstMem = limits::constant_bytes;
    properties->major = 9;
    properties->multiProcessorCount = state.shape.multiprocessors;
    properties->maxThreadsPerMultiProcessor = limits::threads_per_multiprocessor;
    properties->maxBlocksPerMultiProcessor = limits::blocks_per_multiprocessor;
    properties->memoryBusWidth = limits::memory_bus_bits;
    properties->l2CacheSize = limits::l2_bytes;
    properties->canMapHostMemory = properties->unifiedAddressing = properties->concurrentKernels = 1;
    properties->streamPrioritiesSupported = properties->memoryPoolsSupported = 1;
    properties->pciBusID = bus;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  return call([&](Runtime&, auto&) {
    if (device != 0) return cudaErrorInvalidDevice;
    if (!text || length < 13) return cudaErrorInvalidValue;
    std::snprintf(text, static_cast<std::size_t>(length), "0000:%02X:00.0", bus);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = cuda_version;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = cuda_version;
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* state) {
  if (!symbol || !function) return note(cudaErrorInvalidValue);
  *function = driver_function(symbol);
  if (state) *state = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
}
