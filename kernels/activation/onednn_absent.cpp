#include "kernels/activation/parts.hpp"
#include "kernels/device/onednn.hpp"

namespace detbench::activation {

std::unique_ptr<Provider> make_onednn_eltwise_provider(Kind, Specs) { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::activation
