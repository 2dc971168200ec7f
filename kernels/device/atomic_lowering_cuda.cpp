#include "kernels/device/atomic_lowering.hpp"

extern "C" int detbench_atomic_probe_ptx_version();  // atomic_probe.cu

namespace detbench::atomic_listings {

std::optional<int> loaded_ptx_version() {
  const int version = detbench_atomic_probe_ptx_version();
  return version > 0 ? std::optional(version) : std::nullopt;
}

}  // namespace detbench::atomic_listings
