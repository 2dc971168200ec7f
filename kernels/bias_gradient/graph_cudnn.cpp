// cuDNN's graph reduction, with and without IS_DETERMINISTIC: the option `deterministic`, because the engine, its knobs and
// its notes are the same for both and only the workspace tells them apart. cuDNN 9.19 calls configurations with it valid and
// then generates a source that does not compile for any of them (it names cutlass::Semaphore, which is not in it): these arms
// are offered, and unsupported with that reason when they are planned.
#include "kernels/bias_gradient/graph_cudnn.hpp"

#include "kernels/cudnn/graph_provider.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench::bias_gradient {

Result<cudnn::GraphProblem> reduction_graph(const BiasGradientProblem& p, std::optional<bool> deterministic, std::int64_t alignment_bytes) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const auto x = builder->tensor(cudnn::activation_tensor(1, p.diff_dst(), alignment_bytes));
  const auto y = builder->tensor(cudnn::channel_tensor(2, CUDNN_DATA_FLOAT, p.channels, alignment_bytes));
  cudnn::Reduction reduction;
  reduction.deterministic = deterministic;
  builder->reduction(reduction, x, y);
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::graph_problem(std::move(*graph), {{p.diff_dst(), 1}}, {{p.diff_bias(), 2}}, alignment_bytes);
}

Claim reduction_claim(Claim of_engine, bool deterministic) {
  if (deterministic)
    return {Guarantee::run_to_run,
            "cuDNN " + cudnn_version().value_or("9") + ": CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC is true (graph API documentation)",
            {Scope::repeat, Scope::process, Scope::load, Scope::placement}};
  of_engine.source += "; CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC is false";
  return of_engine;
}

namespace {

constexpr const char* provider_name = "cudnn_graph";
constexpr const char* option = "deterministic";

class GraphProvider final : public Provider {
 public:
  explicit GraphProvider(AlgorithmSearch search) : search_(std::move(search)) { rules_.workspace_cap_bytes = search_.workspace_cap_bytes; }
  std::string_view name() const override { return provider_name; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_bias_gradient(problem);
    if (!p) return tl::unexpected(p.error());
    std::vector<Offer> all;
    for (const bool deterministic : {false, true}) {
      const auto found = search_for(*p, deterministic, device);
      if (!found && found.error().kind != Reason::Kind::unsupported) return tl::unexpected(found.error());
      if (!found && device.kind() != DeviceKind::cuda) return std::vector<Offer>{{{provider_name, "any", {}, {}}, found.error()}};
      std::vector<Offer> offers;
      if (found) {
        offers = cudnn::make_offers(*found, rules_);
        if (search_.has(Tier::t1))
          for (const auto mode : cudnn::all_heuristic_modes) offers.push_back(cudnn::make_pick_offer(*found, mode, rules_));
      }
      if (!found || found->candidates.empty())
        offers = {{{provider_name, "any", {}, {}}, found ? Reason{"no engine of cuDNN takes " + problem_id(problem), Reason::Kind::unsupported} : found.error()}};
      for (auto& offer : offers) {
        offer.algorithm.options = option_of(deterministic);
        if (offer.algorithm.name != "any") offer.algorithm.claim = reduction_claim(std::move(offer.algorithm.claim), deterministic);
        all.push_back(std::move(offer));
      }
    }
    return all;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_bias_gradient(problem);
    if (!p) return tl::unexpected(p.error());
    if (device.kind() != DeviceKind::cuda) return tl::unexpected(wrong_device());
    bool deterministic = false;
    if (algorithm.options == option_of(true)) deterministic = true;
    else if (algorithm.options != option_of(false))
      return invalid_input("'" + algorithm_id(algorithm).substr(0, 100) + "' needs @deterministic=0 or @deterministic=1 and no other option");
    const auto graph = reduction_graph(*p, deterministic, alignment(*p, device));
    if (!graph) return tl::unexpected(graph.error());
    if (const auto mode = cudnn::parse_pick_name(algorithm.name)) {
      const auto target = cudnn::target_of(device);
      if (!target) return tl::unexpected(target.error());
      const auto picked = cudnn::pick(graph->graph, *target, *mode, rules_, device.configuration().sm_count_target);
      if (!picked) return tl::unexpected(picked.error());
      return cudnn::make_graph_plan(*graph, *picked, device, {{"selected", cudnn::to_text(*picked)}});
    }
    const auto configuration = cudnn::parse_configuration(algorithm.name);
    if (!configuration) return tl::unexpected(configuration.error());
    return cudnn::make_graph_plan(*graph, *configuration, device);
  }

 private:
  static Options option_of(bool deterministic) { return {{option, deterministic ? "1" : "0"}}; }
  static Reason wrong_device() { return {"cudnn_graph bias_grad exists for CUDA devices only", Reason::Kind::unsupported}; }
  static std::int64_t alignment(const BiasGradientProblem& p, Device& device) {
    return std::min(cudnn::tensor_alignment(device.configuration(), p.types.storage), cudnn::tensor_alignment(device.configuration(), DataType::f32));
  }
  Result<cudnn::SearchResult> search_for(const BiasGradientProblem& p, bool deterministic, Device& device) const {
    if (device.kind() != DeviceKind::cuda) return tl::unexpected(wrong_device());
    const auto graph = reduction_graph(p, deterministic, alignment(p, device));
    if (!graph) return tl::unexpected(graph.error());
    const auto target = cudnn::target_of(device);
    if (!target) return tl::unexpected(target.error());
    return cudnn::search(graph->graph, *target, search_, device.configuration().sm_count_target);
  }

  AlgorithmSearch search_;
  cudnn::OfferRules rules_;
};

}  // namespace

std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch& search) { return std::make_unique<GraphProvider>(search); }

}  // namespace detbench::bias_gradient
