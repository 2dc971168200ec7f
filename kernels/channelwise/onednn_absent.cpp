#include "kernels/channelwise/parts.hpp"
#include "kernels/device/onednn.hpp"

namespace detbench::channelwise {

std::unique_ptr<Provider> make_onednn_provider() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::channelwise
