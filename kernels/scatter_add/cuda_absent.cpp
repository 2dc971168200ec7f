#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench::scatter_add {
namespace {

std::unique_ptr<Provider> absent(const char* name) {
  return make_absent_provider(name, "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace

std::unique_ptr<Provider> make_cuda_atomic_scatters() { return absent("cuda_atomic"); }
std::unique_ptr<Provider> make_cuda_fixed_scatters() { return absent("cuda_fixed"); }

}  // namespace detbench::scatter_add
