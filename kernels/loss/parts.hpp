// Who answers the operations over rows.
#pragma once

#include "kernels/loss/rows.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::rows {

// Ours on a GPU: `parts` come with inputs and outputs. A reason where the build has no CUDA.
Result<SimplePlanParts> cuda_cross_entropy_parts(SimplePlanParts parts, const Smoothing& smoothing, bool atomic);
Result<SimplePlanParts> cuda_softmax_parts(SimplePlanParts parts, bool backward, bool log);

/// Inputs and outputs of a problem; the error of a malformed one.
using Specs = std::function<Result<SimplePlanParts>(const Problem&)>;
std::unique_ptr<Provider> make_onednn_softmax_provider(bool backward, bool log, Specs specs);
/// Softmax: fast and accurate; log-softmax: log; each over the instance and over the channel, which here are the same row.
std::unique_ptr<Provider> make_cudnn_legacy_softmax_provider(bool log, Specs specs);

}  // namespace detbench::rows
