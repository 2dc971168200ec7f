// A `cudnn_graph` provider of an operation that is one graph of plain activations: searched, offered and planned by its
// configurations, nothing wrapped around it but what `wrap` adds.
#pragma once

#include <functional>
#include <memory>

#include "kernels/cudnn/graph_plan.hpp"
#include "kernels/cudnn/offers.hpp"
#include "kernels/search.hpp"

namespace detbench::cudnn {

struct GraphProviderParts {
  /// The graph of a problem, its tensors declared at an alignment of so many bytes. Unsupported where the graph API cannot
  /// state the problem.
  std::function<Result<GraphProblem>(const Problem&, std::int64_t alignment_bytes)> graph;
  /// Around the plan of a configuration, where the operation's tensors are not the graph's; may be empty.
  std::function<Result<std::unique_ptr<Plan>>(const Problem&, std::unique_ptr<Plan>, Device&)> wrap;
  AlgorithmSearch search;
  OfferRules rules;
};

std::unique_ptr<Provider> make_graph_provider(GraphProviderParts parts);

/// One input or output of a graph: its spec, its uid, and the tensor made of it.
struct GraphSide {
  TensorSpec spec;
  std::int64_t uid;
};
/// Fills in tensors, uids and alignments of a problem whose graph is built.
GraphProblem graph_problem(OperationGraph graph, const std::vector<GraphSide>& inputs, const std::vector<GraphSide>& outputs, std::int64_t alignment_bytes);

/// A refusal for OfferRules: engines whose notes say that f32 inputs are rounded to fewer bits first.
std::string refuse_reduced_precision(const Engine& engine);

}  // namespace detbench::cudnn
