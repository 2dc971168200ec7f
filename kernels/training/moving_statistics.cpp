#include "kernels/training/moving_statistics.hpp"

#include "kernels/training/parts.hpp"

namespace detbench {

Result<std::unique_ptr<Plan>> plan_moving_statistics(std::int64_t channels, double momentum, Device& device) {
  return plan_moving_statistics(std::vector<std::int64_t>{channels}, momentum, device);
}

Result<std::unique_ptr<Plan>> plan_moving_statistics(const std::vector<std::int64_t>& channels, double momentum, Device& device) {
  if (!(momentum >= 0 && momentum <= 1)) return invalid_input("batch norm's momentum " + std::to_string(momentum) + " does not lie between 0 and 1");
  const auto average = training::MovingAverage::of(momentum);
  SimplePlanParts parts;
  for (const auto n : channels) {
    for (const char* role : {"mean", "variance"}) parts.inputs.push_back(training::vector_spec(role, DataType::f32, n));
    for (const char* role : {"moving_mean", "moving_variance"}) parts.outputs.push_back(training::vector_spec(role, DataType::f32, n));
  }
  parts.alignment_bytes = sizeof(float);
  parts.run = [average](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      const float* batch = static_cast<const float*>(in[i].region.data);
      float* moving = static_cast<float*>(out[i].region.data);
      for (std::int64_t c = 0; c < in[i].spec.shape[0]; ++c) moving[c] = average(moving[c], batch[c]);
    }
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_moving_statistics_parts(std::move(p), channels, average, device); });
}

}  // namespace detbench
