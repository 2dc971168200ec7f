// The CUDA half of launch_gate.hpp, which a build without CUDA lacks.
#pragma once

#include "kernels/device/launch_gate.hpp"

namespace detbench {

Result<std::unique_ptr<LaunchGate>> make_cuda_launch_gate();

}  // namespace detbench
