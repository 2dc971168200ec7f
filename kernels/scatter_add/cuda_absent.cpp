#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {

std::vector<ScatterAlgorithm> cuda_fixed_order() { return {}; }
std::vector<ScatterAlgorithm> cuda_order_independent() { return {}; }

std::unique_ptr<Provider> make_cuda_atomic_scatters() {
  return make_absent_provider("cuda_atomic", "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::scatter_add
