#include "kernels/convolution/depthwise_atomic.hpp"

namespace detbench {

std::unique_ptr<Provider> make_cuda_convolution() {
  return make_absent_provider("cuda", "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench
