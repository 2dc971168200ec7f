#include "kernels/convolution/legacy_cudnn.hpp"

namespace detbench {

std::unique_ptr<Provider> make_cudnn_legacy_convolution(const AlgorithmSearch&) {
  return make_absent_provider("cudnn_legacy", "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace detbench
