#include "models/chooser.hpp"

namespace detbench {
namespace {

Reason with_context(const Reason& reason, const std::string& context) { return {context + ": " + reason.text, reason.kind}; }

/// A library's code for what it has no kernel for: right, and so slow that nobody would call it the library's choice while
/// another provider answers (oneDNN's stands for half of an EfficientNet step).
bool is_reference_code(const Algorithm& algorithm) { return algorithm.provider == "onednn" && algorithm.name.starts_with("ref:"); }

/// The provider's first offer that exists.
Result<Algorithm> first_offer(const Provider& provider, const Problem& problem, Device& device, bool reference_code = true) {
  auto offers = provider.offers(problem, device);
  if (!offers) return tl::unexpected(offers.error());
  for (const auto& offer : *offers)
    if (!offer.unsupported && (reference_code || !is_reference_code(offer.algorithm))) return offer.algorithm;
  if (!offers->empty() && !offers->front().unsupported) return unsupported("only reference code is offered");
  return unsupported(offers->empty() ? "nothing is offered" : offers->front().unsupported->text);
}

/// Whose first offer stands for the library's own choice, best first. cuDNN's graph API before its legacy one, as in the
/// frameworks; our atomic kernels where no library answers, and fixed order where nothing else does.
std::vector<const char*> providers_by_default(DeviceKind kind) {
  if (kind == DeviceKind::cpu) return {"onednn", "fixed_order"};
  return {"cudnn_graph", "cudnn_legacy", "cublas", "cuda", "fixed_order"};
}

}  // namespace

Result<std::shared_ptr<Plan>> Chooser::plan(const Problem& problem, const Algorithm& algorithm) {
  const std::string key = case_id(problem, algorithm);
  if (const auto at = plans_.find(key); at != plans_.end()) return at->second;
  const auto* operation = registry_.find(problem.op);
  if (!operation) return unsupported("there is no op '" + problem.op + "'");
  const auto* provider = operation->find_provider(algorithm.provider);
  if (!provider) return unsupported(problem.op + " has no provider '" + algorithm.provider + "'");
  auto made = provider->plan(problem, algorithm, device_);
  if (!made) return tl::unexpected(made.error());
  return plans_[key] = std::move(*made);
}

Result<ChosenPlan> Chooser::from_rule(Problem problem, const SelectionRule& rule) {
  problem.layout = rule.layout;
  Algorithm algorithm = rule.algorithm;
  const std::string context = "policy '" + selection_.name + "' picks " + algorithm_id(algorithm) + " for " + problem_id(problem);
  if (algorithm.name.empty()) {
    const auto* operation = registry_.find(problem.op);
    const auto* provider = operation ? operation->find_provider(algorithm.provider) : nullptr;
    if (!provider) return tl::unexpected(Reason{context + ": there is no such op or provider", Reason::Kind::unsupported});
    auto first = first_offer(*provider, problem, device_);
    if (!first) return tl::unexpected(with_context(first.error(), context));
    algorithm = *first;
  }
  auto made = plan(problem, algorithm);
  if (!made) return tl::unexpected(with_context(made.error(), context));
  // Measured by itself it was right; in a step nothing gives it what it needs, so the rule is passed over and the row says so.
  if ((*made)->needs_reset()) return heuristic(problem);
  return ChosenPlan{*made, problem, algorithm, false};
}

Result<ChosenPlan> Chooser::heuristic(const Problem& problem) {
  const auto* operation = registry_.find(problem.op);
  if (!operation) return unsupported("there is no op '" + problem.op + "'");
  if (const auto known = heuristics_.find(problem); known != heuristics_.end()) {
    auto made = plan(problem, known->second);
    if (made) return ChosenPlan{*made, problem, known->second, true};
  }
  std::string reasons;
  for (const bool reference_code : {false, true})
    for (const char* name : providers_by_default(device_.kind())) {
      const auto* provider = operation->find_provider(name);
      if (!provider) continue;
      auto first = first_offer(*provider, problem, device_, reference_code);
      if (first) {
        auto made = plan(problem, *first);
        if (made && !(*made)->needs_reset()) {
          heuristics_[problem] = *first;
          return ChosenPlan{*made, problem, *first, true};
        }
        first = made ? unsupported(algorithm_id(*first) + " takes from the forward pass what only reset() gives it") : tl::unexpected(made.error());
      }
      if (!reference_code) reasons += (reasons.empty() ? "" : "; ") + std::string(name) + ": " + first.error().text;
    }
  return unsupported("nobody answers " + problem_id(problem) + " (" + reasons + ")");
}

Result<ChosenPlan> Chooser::choose(Problem problem, const std::string& fallback_layout) {
  if (const auto* rule = selection_.find(problem)) return from_rule(std::move(problem), *rule);
  problem.layout = fallback_layout;
  return heuristic(problem);
}

Result<ChosenPlan> Chooser::choose_for_layout(Problem problem, const TensorSpec& at_hand, std::size_t input) {
  const std::string layout = describe_layout(at_hand);
  const bool named = layout == "nhwc" || layout == "nchw" || layout == "nchw16c" || layout == "nchw8c";
  const auto* rule = selection_.find(problem);
  if (!rule) {
    problem.layout = named ? layout : "nhwc";
    auto here = heuristic(problem);
    if (here || problem.layout == "nhwc") return here;
    // An operation need not know every layout (max pooling knows no blocked one): then its tensors are reordered.
    problem.layout = "nhwc";
    if (auto there = heuristic(problem); there) return there;
    return here;
  }
  auto chosen = from_rule(problem, *rule);
  if (!chosen || chosen->plan->inputs()[input].layout == at_hand.layout) return chosen;
  // The rule was measured in another layout. Fixed order gives the same bits in every layout, so it saves the reorder.
  if (rule->algorithm.provider == "fixed_order" && named)
    if (auto here = from_rule(problem, {layout, rule->algorithm}); here) return here;
  return chosen;
}

}  // namespace detbench
