#include "kernels/fused_convolution/fixed_order_cuda.hpp"

namespace detbench::fused_order {

Result<std::unique_ptr<Plan>> plan_on_gpu(const FusedConvolutionProblem&) {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::fused_order
