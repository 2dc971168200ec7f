#include "kernels/training/loss_scale.hpp"

#include "kernels/training/parts.hpp"

namespace detbench {
namespace {

/// No branch in the loop and one flag for a whole piece, so that it runs on vector units at the speed of memory.
bool piece_is_finite(const float* values, std::int64_t count) {
  std::uint32_t found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= training::is_not_finite(values[i]) ? 1u : 0u;
  return found == 0;
}

}  // namespace

Result<std::unique_ptr<Plan>> plan_advance_step(Device& device, bool only_if_finite) {
  SimplePlanParts parts;
  if (only_if_finite) parts.inputs = {training::vector_spec("finite", DataType::i32, 1)};
  parts.outputs = {training::vector_spec("step", DataType::i32, 1)};
  parts.alignment_bytes = sizeof(std::int32_t);
  parts.run = [only_if_finite](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    if (!only_if_finite || training::integer_at(in[0]) != 0) training::integer_at(out[0]) += 1;
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_advance_step_parts(std::move(p), only_if_finite); });
}

Result<std::unique_ptr<Plan>> plan_all_finite(const std::vector<std::int64_t>& elements, Device& device) {
  SimplePlanParts parts;
  for (const auto n : elements) parts.inputs.push_back(training::vector_spec("gradient", DataType::f32, n));
  parts.outputs = {training::vector_spec("finite", DataType::i32, 1)};
  parts.alignment_bytes = sizeof(float);
  parts.run = [pieces = training::pieces_of(elements, training::thread_piece)](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    int finite = 1;
    const auto count = static_cast<std::int64_t>(pieces.size());
#pragma omp parallel for schedule(dynamic) reduction(& : finite)
    for (std::int64_t k = 0; k < count; ++k) {
      const auto& piece = pieces[k];
      finite &= piece_is_finite(static_cast<const float*>(in[piece.tensor].region.data) + piece.begin, piece.count) ? 1 : 0;
    }
    training::integer_at(out[0]) = finite;
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_all_finite_parts(std::move(p), elements, device); });
}

Result<std::unique_ptr<Plan>> plan_update_loss_scale(std::int32_t growth_steps, Device& device) {
  if (growth_steps < 1) return invalid_input("a loss scale that grows after " + std::to_string(growth_steps) + " steps does not exist; 1 and more do");
  const training::LossScaleRule rule{growth_steps};
  SimplePlanParts parts;
  parts.inputs = {training::vector_spec("finite", DataType::i32, 1)};
  parts.outputs = {training::vector_spec("loss_scale", DataType::f32, 1), training::vector_spec("good_steps", DataType::i32, 1)};
  parts.alignment_bytes = sizeof(float);
  parts.run = [rule](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    rule(training::integer_at(in[0]), training::float_at(out[0]), training::integer_at(out[1]));
  };
  return training::plan_on(device, std::move(parts), [&](SimplePlanParts p) { return training::cuda_loss_scale_parts(std::move(p), rule); });
}

}  // namespace detbench
