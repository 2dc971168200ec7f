// Built where no CUDA toolkit was found.
#include "bench/core/gpu_controls.hpp"

namespace detbench {

Result<std::unique_ptr<Op>> make_gpu_control(std::string_view, const GpuControlView&, Stream&) {
  return unsupported("this build has no CUDA, so it has no controls for a GPU");
}

}  // namespace detbench
