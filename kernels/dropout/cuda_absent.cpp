#include "kernels/dropout/parts.hpp"

namespace detbench::dropout {

namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON"); }

}  // namespace

Result<SimplePlanParts> cuda_dropout_parts(const DropoutProblem&) { return absent(); }
Result<SimplePlanParts> cuda_step_dropout_parts(SimplePlanParts, const StepDropout&) { return absent(); }

}  // namespace detbench::dropout
