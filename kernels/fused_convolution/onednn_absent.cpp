#include "kernels/device/onednn.hpp"
#include "kernels/fused_convolution/operation.hpp"

namespace detbench {

std::unique_ptr<Provider> make_onednn_fused_convolution() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench
