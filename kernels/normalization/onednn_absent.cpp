#include "kernels/device/onednn.hpp"
#include "kernels/normalization/batch_norm.hpp"

namespace detbench::normalization {

std::unique_ptr<Provider> make_onednn_provider() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench::normalization
