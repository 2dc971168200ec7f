#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

constexpr const char* absent_reason = "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON";

}  // namespace

std::unique_ptr<Provider> make_cuda_products() { return make_absent_provider("cuda", absent_reason); }
Result<std::vector<Offer>> fixed_offers_on_gpu(const Problem&, const AlgorithmSearch&) {
  return no_offers("fixed_order", {absent_reason, Reason::Kind::unsupported});
}
Result<std::unique_ptr<Plan>> plan_fixed_product_on_gpu(const Problem&, const Algorithm&) { return unsupported(absent_reason); }

}  // namespace detbench
