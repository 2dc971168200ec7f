#include "kernels/device/onednn.hpp"
#include "kernels/resize/parts.hpp"

namespace detbench::resize {

std::unique_ptr<Provider> make_onednn_provider() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::resize
