#include <cuda_runtime.h>

#include "kernels/device/cuda_check.hpp"
#include "kernels/device/gpu_properties.hpp"

namespace detbench {

Result<GpuProperties> gpu_properties() {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
    cudaGetLastError();
    return unsupported("no CUDA backend here: " + std::string(error == cudaSuccess ? "no GPU is visible" : cudaGetErrorString(error)));
  }
  DETBENCH_CUDA_TRY(cudaSetDevice(0));
  cudaDeviceProp properties;
  DETBENCH_CUDA_TRY(cudaGetDeviceProperties(&properties, 0));
  GpuProperties gpu;
  gpu.name = properties.name;
  gpu.compute_major = properties.major;
  gpu.compute_minor = properties.minor;
  gpu.multiprocessors = properties.multiProcessorCount;
  gpu.memory_bytes = properties.totalGlobalMem;
  gpu.l2_bytes = static_cast<std::uint64_t>(properties.l2CacheSize);
  gpu.memory_bus_bits = properties.memoryBusWidth;
  gpu.ecc = properties.ECCEnabled != 0;
  std::size_t free = 0, total = 0;
  DETBENCH_CUDA_TRY(cudaMemGetInfo(&free, &total));
  gpu.free_memory_bytes = free;
  constexpr double hz_per_khz = 1e3;
  // CUDA 13 took these out of cudaDeviceProp.
  int value = 0;
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&value, cudaDevAttrClockRate, 0));
  gpu.maximum_sm_clock_hz = value * hz_per_khz;
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryClockRate, 0));
  gpu.maximum_memory_clock_hz = value * hz_per_khz;
  DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&value, cudaDevAttrMpsEnabled, 0));
  gpu.mps = value != 0;
  char bus[32] = "";
  DETBENCH_CUDA_TRY(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
  gpu.pci_bus_id = bus;
  DETBENCH_CUDA_TRY(cudaDriverGetVersion(&gpu.driver_cuda_version));
  DETBENCH_CUDA_TRY(cudaRuntimeGetVersion(&gpu.runtime_cuda_version));
  return gpu;
}

}  // namespace detbench
