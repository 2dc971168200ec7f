#include "kernels/arithmetic_rate/chains.hpp"

namespace detbench::arithmetic_rate {

Status cuda_present() {
  return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON");
}
Status cuda_chains(const void*, void*, std::int64_t, std::int64_t, void*) { return cuda_present(); }

}  // namespace detbench::arithmetic_rate
