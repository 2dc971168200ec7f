// Batch norm's moving statistics:
//   statistics = statistics * momentum + batch * (1 - momentum), in f32
// (keras/src/layers/normalization/batch_normalization.py; the biased batch variance goes in).
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// One layer. Inputs: mean, variance of the batch; outputs: moving_mean, moving_variance, updated in place.
Result<std::unique_ptr<Plan>> plan_moving_statistics(std::int64_t channels, double momentum, Device& device);

/// Several layers in one op, which is one launch on a GPU. Inputs: mean, variance of the first layer, of the second, ...;
/// outputs: moving_mean, moving_variance likewise, updated in place.
Result<std::unique_ptr<Plan>> plan_moving_statistics(const std::vector<std::int64_t>& channels, double momentum, Device& device);

}  // namespace detbench
