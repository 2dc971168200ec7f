// Built where no CUDA toolkit was found.
#include "kernels/device/device.hpp"

namespace detbench {

Result<std::unique_ptr<Device>> make_cuda_device(const DeviceConfiguration&) {
  return unsupported("no CUDA backend here: this build has no CUDA toolkit (configure with DETBENCH_CUDA=ON)");
}

}  // namespace detbench
