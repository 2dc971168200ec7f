#include "kernels/normalization/cuda_batch_norm.hpp"

namespace detbench::normalization {

MakeParts cuda_fixed_order() { return {}; }

std::unique_ptr<Provider> make_cuda_provider() {
  return make_absent_provider("cuda", "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::normalization
