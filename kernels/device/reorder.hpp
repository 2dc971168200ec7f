// Copying tensors between layouts, and running a plan on tensors of other layouts than it wants.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// A plan with one input and one output of equal shape: copies the tensor from layout to layout; padding of the target
/// becomes zero. Of one type: oneDNN's reorder where there is one, else our own; bits are never changed, so which of the two
/// runs does not matter to an answer. From type to type (f32, f64, f16, bf16): our own, each element rounded once to nearest
/// even. On a GPU: our own, the same bits. Errors: shapes differ; a type that cannot be converted; on a GPU a layout of
/// more blocks than LayoutIndex::max_blocks.
Result<std::unique_ptr<Plan>> plan_reorder(const TensorSpec& from, const TensorSpec& to, Device& device);

/// Our own copy, whatever the library offers (the fallback of plan_reorder; public for its tests).
Result<std::unique_ptr<Plan>> plan_own_reorder(const TensorSpec& from, const TensorSpec& to, Device& device);

/// `inner` run on tensors that lie as `inputs` and `outputs` say: enqueue() reorders what differs, runs, and reorders
/// the outputs back. The workspace holds the reordered copies. Notes are the inner plan's plus "reorders".
Result<std::unique_ptr<Plan>> plan_with_reorders(std::unique_ptr<Plan> inner, std::vector<TensorSpec> inputs,
                                                 std::vector<TensorSpec> outputs, Device& device);

/// True when two specs say the same place for every element: equal type, shape and layout.
bool same_layout(const TensorSpec& a, const TensorSpec& b);

}  // namespace detbench
