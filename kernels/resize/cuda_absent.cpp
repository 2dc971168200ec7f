#include "kernels/resize/parts.hpp"

namespace detbench::resize {
namespace {

constexpr const char* absent_reason = "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON";

}  // namespace

Result<SimplePlanParts> cuda_gather(const Problem&) { return unsupported(absent_reason); }
std::unique_ptr<Provider> make_cuda_atomic_provider() { return make_absent_provider("cuda_atomic", absent_reason); }

}  // namespace detbench::resize
