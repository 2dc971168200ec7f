#include "kernels/loss/parts.hpp"

namespace detbench::rows {

std::unique_ptr<Provider> make_cudnn_legacy_softmax_provider(bool, Specs) {
  return make_absent_provider("cudnn_legacy", "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace detbench::rows
