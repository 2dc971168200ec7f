#include "kernels/device/onednn.hpp"
#include "kernels/matmul/matmul_operation.hpp"

namespace detbench {

std::unique_ptr<Provider> make_onednn_matmul() { return make_absent_provider("onednn", onednn_absent_reason); }

}  // namespace detbench
