#include "kernels/training/parts.hpp"

namespace detbench::training {
namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON"); }

}  // namespace

Result<SimplePlanParts> cuda_advance_step_parts(SimplePlanParts, bool) { return absent(); }
Result<SimplePlanParts> cuda_all_finite_parts(SimplePlanParts, const std::vector<std::int64_t>&, Device&) { return absent(); }
Result<SimplePlanParts> cuda_loss_scale_parts(SimplePlanParts, const LossScaleRule&) { return absent(); }
Result<SimplePlanParts> cuda_moving_statistics_parts(SimplePlanParts, const std::vector<std::int64_t>&, const MovingAverage&, Device&) { return absent(); }
Result<SimplePlanParts> cuda_cast_scale_parts(SimplePlanParts, DataType, DataType, bool) { return absent(); }
Result<SimplePlanParts> cuda_rescale_parts(SimplePlanParts, DataType, float, float) { return absent(); }

}  // namespace detbench::training
