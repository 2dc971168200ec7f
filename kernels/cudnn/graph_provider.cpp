#include "kernels/cudnn/graph_provider.hpp"

namespace detbench::cudnn {
namespace {

class GraphProvider final : public Provider {
 public:
  explicit GraphProvider(GraphProviderParts parts) : parts_(std::move(parts)) {}
  std::string_view name() const override { return parts_.rules.provider; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    auto found = search_for(problem, device);
    if (found && !found->candidates.empty()) return make_offers(*found, parts_.rules);
    if (!found && found.error().kind != Reason::Kind::unsupported) return tl::unexpected(found.error());
    const Reason reason = found ? Reason{"no engine of cuDNN takes " + problem_id(problem), Reason::Kind::unsupported} : found.error();
    Offer none;
    none.algorithm.provider = parts_.rules.provider;
    none.algorithm.name = "any";
    none.unsupported = reason;
    return std::vector<Offer>{none};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    if (auto s = on_gpu(device); !s) return tl::unexpected(s.error());
    if (!algorithm.options.empty()) return invalid_input("'" + algorithm_id(algorithm).substr(0, 100) + "' has options, which this provider has none of");
    auto configuration = parse_configuration(algorithm.name);
    if (!configuration) return tl::unexpected(configuration.error());
    auto graph = parts_.graph(problem, tensor_alignment(device.configuration(), DataType::f32));
    if (!graph) return tl::unexpected(graph.error());
    auto plan = make_graph_plan(*graph, *configuration, device);
    if (!plan || !parts_.wrap) return plan;
    return parts_.wrap(problem, std::move(*plan), device);
  }

  std::optional<Offer> offer_by_name(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    if (!algorithm.options.empty()) return std::nullopt;  // plan() tells why, here and below
    const auto configuration = parse_configuration(algorithm.name);
    const auto target = target_of(device);
    if (!configuration || !target) return std::nullopt;
    const auto graph = parts_.graph(problem, tensor_alignment(device.configuration(), DataType::f32));
    if (!graph) return std::nullopt;
    return offer_configuration(graph->graph, *target, *configuration, parts_.rules, device.configuration().sm_count_target);
  }

 private:
  Status on_gpu(Device& device) const {
    if (device.kind() == DeviceKind::cuda) return {};
    return unsupported(parts_.rules.provider + " exists for CUDA devices only");
  }
  Result<SearchResult> search_for(const Problem& problem, Device& device) const {
    if (auto s = on_gpu(device); !s) return tl::unexpected(s.error());
    auto graph = parts_.graph(problem, tensor_alignment(device.configuration(), DataType::f32));
    if (!graph) return tl::unexpected(graph.error());
    auto target = target_of(device);
    if (!target) return tl::unexpected(target.error());
    return search(graph->graph, *target, parts_.search, device.configuration().sm_count_target);
  }
  GraphProviderParts parts_;
};

}  // namespace

std::unique_ptr<Provider> make_graph_provider(GraphProviderParts parts) { return std::make_unique<GraphProvider>(std::move(parts)); }

GraphProblem graph_problem(OperationGraph graph, const std::vector<GraphSide>& inputs, const std::vector<GraphSide>& outputs, std::int64_t alignment_bytes) {
  GraphProblem problem;
  problem.graph = std::move(graph);
  for (const auto& side : inputs) problem.inputs.push_back(side.spec), problem.input_uids.push_back(side.uid);
  for (const auto& side : outputs) problem.outputs.push_back(side.spec), problem.output_uids.push_back(side.uid);
  problem.alignments.assign(inputs.size() + outputs.size(), alignment_bytes);
  return problem;
}

std::string refuse_reduced_precision(const Engine& engine) {
  for (const auto note : {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION})
    if (engine.has_note(note)) return "rounds f32 to fewer bits: " + note_names(engine.notes);
  return "";
}

}  // namespace detbench::cudnn
