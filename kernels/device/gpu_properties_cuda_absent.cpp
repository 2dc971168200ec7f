#include "kernels/device/gpu_properties.hpp"

namespace detbench {

Result<GpuProperties> gpu_properties() { return unsupported("no CUDA backend here: this build has none (no CUDA toolkit was found)"); }

}  // namespace detbench
