#include "kernels/convolution/operation.hpp"
#include "kernels/device/onednn.hpp"

namespace detbench {

std::unique_ptr<Provider> make_onednn_convolution() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench
