#include "kernels/device/launch_gate_backends.hpp"

namespace detbench {

Result<std::unique_ptr<LaunchGate>> make_cuda_launch_gate() { return unsupported("this build has no CUDA"); }

}  // namespace detbench
