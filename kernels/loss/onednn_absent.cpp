#include "kernels/device/onednn.hpp"
#include "kernels/loss/parts.hpp"

namespace detbench::rows {

std::unique_ptr<Provider> make_onednn_softmax_provider(bool, bool, Specs) { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::rows
