#include "kernels/dropout/parts.hpp"

namespace detbench::dropout {

Result<SimplePlanParts> cuda_dropout_parts(const DropoutProblem&) {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::dropout
