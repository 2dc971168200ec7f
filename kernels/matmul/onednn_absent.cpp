#include "kernels/device/onednn.hpp"
#include "kernels/matmul/operation.hpp"

namespace detbench {

std::unique_ptr<Provider> make_onednn_dense() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench
