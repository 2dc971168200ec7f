// Who answers the element-by-element operations.
#pragma once

#include "kernels/activation/elementwise.hpp"
#include "kernels/search.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::activation {

constexpr bool has_two_inputs(Kind kind) { return kind != Kind::relu6_forward && kind != Kind::swish_forward; }

/// Tensors of a problem; the error of a malformed one.
using Specs = std::function<Result<SimplePlanParts>(const Problem&)>;

/// Ours on a GPU: `parts` come with inputs and outputs. A reason where the build has no CUDA.
Result<SimplePlanParts> cuda_elementwise_parts(Kind kind, SimplePlanParts parts);
/// Swish alone: the networks' choice among providers of the other operations is older than this one.
std::unique_ptr<Provider> make_onednn_swish_provider(Kind kind, Specs specs);
/// ReLU6 and swish; nothing for a sum.
std::unique_ptr<Provider> make_cudnn_legacy_activation_provider(Kind kind, Specs specs);
std::unique_ptr<Provider> make_cudnn_graph_pointwise_provider(Kind kind, Specs specs, const AlgorithmSearch& search);

}  // namespace detbench::activation
