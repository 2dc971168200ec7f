// Element-by-element operations as cuDNN's pointwise graphs, every engine.
#include "kernels/activation/graph_cudnn.hpp"

#include "kernels/cudnn/graph_provider.hpp"

namespace detbench::activation {
namespace {

cudnn::Pointwise operation_of(Kind kind) {
  cudnn::Pointwise p;
  switch (kind.activation) {
    case Activation::relu:
    case Activation::relu6:
      p.mode = kind.backward ? CUDNN_POINTWISE_RELU_BWD : CUDNN_POINTWISE_RELU_FWD;
      p.relu_lower_clip = 0.0;
      if (kind.activation == Activation::relu6) p.relu_upper_clip = 6.0;
      break;
    case Activation::swish:
      p.mode = kind.backward ? CUDNN_POINTWISE_SWISH_BWD : CUDNN_POINTWISE_SWISH_FWD;
      p.swish_beta = 1.0;
      break;
    case Activation::sigmoid: p.mode = kind.backward ? CUDNN_POINTWISE_SIGMOID_BWD : CUDNN_POINTWISE_SIGMOID_FWD; break;
    case Activation::none: p.mode = CUDNN_POINTWISE_ADD; break;
  }
  return p;
}

}  // namespace

Result<cudnn::GraphProblem> pointwise_graph(Kind kind, const SimplePlanParts& specs, std::int64_t alignment_bytes) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const auto side = [&](std::int64_t uid, const TensorSpec& spec) {
    return builder->tensor(cudnn::activation_tensor(uid, spec, alignment_bytes));
  };
  const TensorSpec &a = specs.inputs[0], &out = specs.outputs[0];
  std::vector<cudnn::GraphSide> inputs{{a, 1}};
  if (kind.is_sum())
    builder->pointwise(operation_of(kind), side(1, a), side(2, specs.inputs[1]), side(3, out));
  else if (kind.has_two_inputs())
    builder->pointwise_backward(operation_of(kind), side(1, a), side(2, specs.inputs[1]), side(3, out));
  else
    builder->pointwise(operation_of(kind), side(1, a), {}, side(3, out));
  if (kind.has_two_inputs()) inputs.push_back({specs.inputs[1], 2});
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::graph_problem(std::move(*graph), inputs, {{out, 3}}, alignment_bytes);
}

std::unique_ptr<Provider> make_cudnn_graph_pointwise_provider(Kind kind, Specs specs, const AlgorithmSearch& search) {
  cudnn::GraphProviderParts parts;
  parts.graph = [kind, specs](const Problem& problem, std::int64_t alignment_bytes) -> Result<cudnn::GraphProblem> {
    auto given = specs(problem);
    if (!given) return tl::unexpected(given.error());
    return pointwise_graph(kind, *given, alignment_bytes);
  };
  parts.search = search;
  parts.rules.refuse = cudnn::refuse_reduced_precision;
  return cudnn::make_graph_provider(std::move(parts));
}

}  // namespace detbench::activation
