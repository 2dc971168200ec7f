// What a train step with loss scaling needs beside its layers and its optimizer: the counter of steps, whether all
// gradients are finite, and the scale itself (keras/src/optimizers/loss_scale_optimizer.py).
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// Keras's defaults.
inline constexpr double initial_loss_scale = 32768;  ///< 2^15
inline constexpr std::int32_t loss_scale_growth_steps = 2000;

/// Output: `step` i32 [1], one more than it was (in place). With `only_if_finite` an input `finite` i32 [1] comes with it
/// and a step that is not finite is not counted: Keras's optimizer counts the updates that it makes, not the batches.
Result<std::unique_ptr<Plan>> plan_advance_step(Device& device, bool only_if_finite = false);

/// Inputs: one f32 vector per entry of `elements` (padding counts: it is zero). Output: `finite` i32 [1], 1 where no
/// element is infinite or NaN, else 0. The pieces' answers are joined by integer AND, whose order cannot matter.
Result<std::unique_ptr<Plan>> plan_all_finite(const std::vector<std::int64_t>& elements, Device& device);

/// Input: `finite` i32 [1]. Outputs, in place: `loss_scale` f32 [1] and `good_steps` i32 [1]. Not finite: scale / 2 and
/// no good steps; the growth_steps-th finite step in a row: scale * 2 and no good steps; else one good step more.
Result<std::unique_ptr<Plan>> plan_update_loss_scale(std::int32_t growth_steps, Device& device);

}  // namespace detbench
