#include "kernels/loss/parts.hpp"

namespace detbench::rows {
namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON"); }

}  // namespace

Result<SimplePlanParts> cuda_cross_entropy_parts(SimplePlanParts, const Smoothing&, bool) { return absent(); }
Result<SimplePlanParts> cuda_softmax_parts(SimplePlanParts, bool, bool) { return absent(); }

}  // namespace detbench::rows
