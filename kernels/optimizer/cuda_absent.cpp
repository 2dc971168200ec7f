#include "kernels/optimizer/parts.hpp"

namespace detbench::optimizer {

Result<SimplePlanParts> cuda_parts(SimplePlanParts, const Request&, Device&) {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}

}  // namespace detbench::optimizer
