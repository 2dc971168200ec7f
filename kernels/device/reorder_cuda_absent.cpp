#include "kernels/device/reorder_cuda.hpp"

namespace detbench::reorder {
namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON"); }

}  // namespace

Status check_cuda_reorder(const TensorSpec&, const TensorSpec&) { return absent(); }
Result<std::unique_ptr<Op>> bind_cuda_reorder(const Tensor&, const Tensor&, Stream&) { return absent(); }

}  // namespace detbench::reorder
