// Who answers the element-by-element operations.
#pragma once

#include "kernels/activation/elementwise.hpp"
#include "kernels/search.hpp"
#include "kernels/stored_operation.hpp"

namespace detbench::activation {

/// Tensors of a problem; the error of a malformed one.
using Specs = std::function<Result<SimplePlanParts>(const Problem&)>;

/// What fixed_order's loops are compiled for; tests ask for each.
enum class InstructionSet { baseline, avx2, avx512 };
/// Ours on a CPU, for one instruction set; unsupported where the machine lacks it.
Result<SimplePlanParts> fixed_order_parts(const Problem& problem, InstructionSet set);

/// Ours on a GPU: `parts` come with inputs and outputs. A reason where the build has no CUDA.
Result<SimplePlanParts> cuda_elementwise_parts(Kind kind, SimplePlanParts parts);
/// ReLU, swish and sigmoid: the networks' choice among providers of the other operations is older than this one.
std::unique_ptr<Provider> make_onednn_eltwise_provider(Kind kind, Specs specs);
/// Activations; nothing for a sum.
std::unique_ptr<Provider> make_cudnn_legacy_activation_provider(Kind kind, Specs specs);
std::unique_ptr<Provider> make_cudnn_graph_pointwise_provider(Kind kind, Specs specs, const AlgorithmSearch& search);

}  // namespace detbench::activation
