#include "kernels/activation/parts.hpp"

namespace detbench::activation {

Result<SimplePlanParts> cuda_elementwise_parts(Kind, SimplePlanParts) {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::activation
