// cuDNN's graph reduction as a full sum, with and without IS_DETERMINISTIC: the option `deterministic`, because the engine,
// its knobs and its notes are the same for both. The vector is stated as an image of one channel (cudnn_image.hpp), its sum as
// {1, 1, 1, 1}; cuDNN 9.19 finalizes that for f32 and f16 (engine 1, compiled at run time) and has nothing for f64. As with
// bias gradients its deterministic sources do not compile there: such arms say so when they are planned.
#include <algorithm>

#include "kernels/cudnn/graph_provider.hpp"
#include "kernels/cudnn/version.hpp"
#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/reduction/cudnn_image.hpp"

namespace detbench::reduction {
namespace {

constexpr const char* provider_name = "cudnn_graph";

Options option_of(bool deterministic) { return {{"deterministic", deterministic ? "1" : "0"}}; }

std::int64_t alignment_of(const SumProblem& p, Device& device) {
  return std::min(cudnn::tensor_alignment(device.configuration(), p.stored), cudnn::tensor_alignment(device.configuration(), p.accumulator));
}

Result<cudnn::GraphProblem> sum_graph(const Problem& problem, bool deterministic, Device& device) {
  const auto p = parse_sum(problem);
  if (!p) return tl::unexpected(p.error());
  if (device.kind() != DeviceKind::cuda) return unsupported("cudnn_graph sum exists for CUDA devices only");
  if (p->is_dot) return unsupported("cuDNN's reduction takes one tensor: it has no dot product");
  const std::int64_t alignment = alignment_of(*p, device);
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const auto x = builder->tensor(cudnn::activation_tensor(1, image_spec("src", p->stored, p->n), alignment));
  const auto y = builder->tensor(cudnn::activation_tensor(2, image_spec("dst", p->accumulator, 1), alignment));
  cudnn::Reduction reduction;
  reduction.compute = cudnn::data_type(p->accumulator);
  reduction.deterministic = deterministic;
  builder->reduction(reduction, x, y);
  auto graph = builder->build();
  if (!graph) return unsupported(graph.error().text);
  return cudnn::graph_problem(std::move(*graph), {{{"src", p->stored, {p->n}, canonical_layout({p->n})}, 1}},
                              {{{"dst", p->accumulator, {1}, canonical_layout({1})}, 2}}, alignment);
}

Claim claim_of(Claim of_engine, bool deterministic) {
  if (deterministic)
    return {Guarantee::run_to_run,
            "cuDNN " + cudnn_version().value_or("9") + ": CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC is true (graph API documentation)",
            {Scope::repeat, Scope::process, Scope::load, Scope::placement}};
  of_engine.source += "; CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC is false";
  return of_engine;
}

class GraphSums final : public Provider {
 public:
  std::string_view name() const override { return provider_name; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    std::vector<Offer> all;
    if (device.kind() != DeviceKind::cuda) return all;
    for (const bool deterministic : {false, true}) {
      auto found = offers_of(problem, deterministic, device);
      if (!found && found.error().kind != Reason::Kind::unsupported) return tl::unexpected(found.error());
      if (!found) found = std::vector<Offer>{{{provider_name, "any", {}, {}}, found.error()}};
      for (Offer& offer : *found) {
        offer.algorithm.options = option_of(deterministic);
        if (offer.algorithm.name != "any") offer.algorithm.claim = claim_of(std::move(offer.algorithm.claim), deterministic);
        all.push_back(std::move(offer));
      }
    }
    return all;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const bool deterministic = algorithm.options == option_of(true);
    if (!deterministic && algorithm.options != option_of(false))
      return invalid_input("'" + algorithm_id(algorithm).substr(0, 100) + "' needs @deterministic=0 or @deterministic=1 and no other option");
    const auto graph = sum_graph(problem, deterministic, device);
    if (!graph) return tl::unexpected(graph.error());
    const auto configuration = cudnn::parse_configuration(algorithm.name);
    if (!configuration) return tl::unexpected(configuration.error());
    return cudnn::make_graph_plan(*graph, *configuration, device);
  }

 private:
  /// Engines and what the heuristics propose: t0 and t1.
  static Result<std::vector<Offer>> offers_of(const Problem& problem, bool deterministic, Device& device) {
    const auto graph = sum_graph(problem, deterministic, device);
    if (!graph) return tl::unexpected(graph.error());
    const auto target = cudnn::target_of(device);
    if (!target) return tl::unexpected(target.error());
    const auto found = cudnn::search(graph->graph, *target, AlgorithmSearch{}, device.configuration().sm_count_target);
    if (!found) return tl::unexpected(found.error());
    auto offers = cudnn::make_offers(*found, cudnn::OfferRules{});
    if (offers.empty()) return unsupported("no engine of cuDNN takes " + problem_id(problem));
    return offers;
  }
};

}  // namespace

std::unique_ptr<Provider> make_cudnn_graph_sums() { return std::make_unique<GraphSums>(); }

}  // namespace detbench::reduction
