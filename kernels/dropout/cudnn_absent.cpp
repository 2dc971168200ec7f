#include "kernels/dropout/parts.hpp"

namespace detbench::dropout {

std::unique_ptr<Provider> make_cudnn_legacy_dropout_provider() {
  return make_absent_provider("cudnn_legacy", "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace detbench::dropout
