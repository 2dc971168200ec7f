#include "kernels/channelwise/parts.hpp"

namespace detbench::channelwise {

MakeParts cuda_fixed_order() { return {}; }

std::unique_ptr<Provider> make_cuda_provider() {
  return make_absent_provider("cuda", "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::channelwise
