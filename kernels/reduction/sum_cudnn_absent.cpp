#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_cudnn_sums() {
  return make_absent_provider("cudnn_legacy", "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace detbench::reduction
