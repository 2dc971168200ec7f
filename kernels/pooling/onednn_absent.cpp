#include "kernels/device/onednn.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {

std::unique_ptr<Provider> make_onednn_window_provider(WindowOp) { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::pooling
