#include "kernels/device/onednn.hpp"

namespace detbench {

std::optional<std::string> onednn_version() { return std::nullopt; }

Result<std::unique_ptr<Plan>> plan_onednn_reorder(const TensorSpec&, const TensorSpec&, Device&) {
  return unsupported(onednn_absent_reason);
}

}  // namespace detbench
