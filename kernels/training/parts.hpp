// The train step's small ops on a GPU, and what they share with the CPU's. `parts` come with inputs and outputs; a reason
// where the build has no CUDA.
#pragma once

#include "kernels/simple_operation.hpp"
#include "kernels/training/elements.hpp"
#include "kernels/training/pieces.hpp"

namespace detbench::training {

Result<SimplePlanParts> cuda_advance_step_parts(SimplePlanParts parts, bool only_if_finite);
Result<SimplePlanParts> cuda_all_finite_parts(SimplePlanParts parts, const std::vector<std::int64_t>& elements, Device& device);
Result<SimplePlanParts> cuda_loss_scale_parts(SimplePlanParts parts, const LossScaleRule& rule);
Result<SimplePlanParts> cuda_moving_statistics_parts(SimplePlanParts parts, const std::vector<std::int64_t>& channels, const MovingAverage& average,
                                                     Device& device);
Result<SimplePlanParts> cuda_cast_scale_parts(SimplePlanParts parts, DataType from, DataType to, bool scaled);
Result<SimplePlanParts> cuda_rescale_parts(SimplePlanParts parts, DataType type, float scale, float offset);

inline TensorSpec vector_spec(std::string role, DataType type, std::int64_t elements) {
  return {std::move(role), type, {elements}, canonical_layout({elements})};
}
inline std::int32_t& integer_at(const Tensor& tensor) { return *static_cast<std::int32_t*>(tensor.region.data); }
inline float& float_at(const Tensor& tensor) { return *static_cast<float*>(tensor.region.data); }

/// A plan of `parts`, or of what `make_cuda` makes of them on a GPU.
template <class MakeCuda>
Result<std::unique_ptr<Plan>> plan_on(Device& device, SimplePlanParts parts, MakeCuda&& make_cuda) {
  if (device.kind() == DeviceKind::cuda) {
    parts.run = nullptr;
    auto on_gpu = make_cuda(std::move(parts));
    if (!on_gpu) return tl::unexpected(on_gpu.error());
    parts = std::move(*on_gpu);
  }
  return std::make_unique<SimplePlan>(std::move(parts));
}

}  // namespace detbench::training
