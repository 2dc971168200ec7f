// Which tensors of a problem hold its samples, found by comparing the problem with itself in a larger batch.
#pragma once

#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// The tensors of one problem, in the order of Plan::inputs() and outputs().
struct ProblemTensors {
  std::vector<TensorSpec> inputs, outputs;
};

/// `size` samples at `position` of `batch`: a tensor whose first dimension grows with the batch is sliced, one that does
/// not change is shared. Unsupported when an output does not grow: it sums over the batch. `larger` and `after` describe
/// the problem in the larger batch.
Result<BatchVariant> make_batch_variant(Problem larger, const ProblemTensors& before, const ProblemTensors& after,
                                        std::int64_t size, std::int64_t batch, std::int64_t position);

}  // namespace detbench
