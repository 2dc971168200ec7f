// What the CUDA runtime and driver say of the GPU that is used: for the manifest, and to find it in NVML.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/result.hpp"

namespace detbench {

struct GpuProperties {
  std::string name;
  int compute_major = 0, compute_minor = 0;
  int multiprocessors = 0;
  std::uint64_t memory_bytes = 0, free_memory_bytes = 0, l2_bytes = 0;
  double maximum_sm_clock_hz = 0, maximum_memory_clock_hz = 0;
  int memory_bus_bits = 0;
  bool ecc = false, mps = false;
  std::string pci_bus_id;      ///< "0000:1B:00.0"; names a slot, not a device: it goes into no result file
  int driver_cuda_version = 0;   ///< the newest CUDA that the driver serves, like 13000
  int runtime_cuda_version = 0;  ///< of the runtime in this binary
};

/// Of GPU 0. Reasons as make_cuda_device gives them.
Result<GpuProperties> gpu_properties();

}  // namespace detbench
