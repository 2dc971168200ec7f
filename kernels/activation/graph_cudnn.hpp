// The element-by-element operations as cuDNN graphs, for whoever asks about them without a GPU. Only files that are built
// with cuDNN's headers include this.
#pragma once

#include "kernels/activation/parts.hpp"
#include "kernels/cudnn/graph_plan.hpp"

namespace detbench::activation {

/// `specs` holds inputs and outputs of n elements each.
Result<cudnn::GraphProblem> pointwise_graph(Kind kind, const SimplePlanParts& specs, std::int64_t alignment_bytes);

}  // namespace detbench::activation
