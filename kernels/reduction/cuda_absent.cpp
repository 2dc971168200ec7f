#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {
namespace {

std::unique_ptr<Provider> absent(const char* name) {
  return make_absent_provider(name, "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace

std::vector<TableRow> cuda_fixed_order_sum_rows() { return {}; }
std::vector<TableRow> cuda_order_independent_sum_rows() { return {}; }
std::unique_ptr<Provider> make_cuda_atomic_sums() { return absent("cuda_atomic"); }
std::unique_ptr<Provider> make_cub_sums() { return absent("cub"); }

}  // namespace detbench::reduction
