#include "bench/policy/choose.hpp"

#include <algorithm>
#include <map>

#include "bench/core/statistics.hpp"

namespace detbench {

/// An arm of a comparison that may be picked, with its time on the choosing half.
struct Choices::Arm {
  Problem problem;
  Algorithm algorithm;
  const Record* record;
  double median_s;
  bool foreign_layout = false;  ///< its bare time leaves out reorders that the network has to make
};

/// Everything known about one (op, shape, types), in whatever layout it was measured.
struct Choices::Layer {
  Problem problem;
  std::size_t uses = 0;
  std::vector<Arm> arms;  ///< fastest first
};

namespace {

/// Whether an arm's bare time leaves out reorders that a network would have to make: in a blocked network those of its
/// activations, in a dense layer those of its weights, which the optimizer updates in their plain layout every step (a
/// convolution's are small beside its activations).
bool has_foreign_layout(const Problem& problem, const Record& record) {
  return std::any_of(record.notes.begin(), record.notes.end(), [&](const auto& note) {
    const auto& [name, layout] = note;
    if (name.rfind("layout_", 0) != 0 || layout == "plain") return false;
    if (problem.layout == "rowmajor") return true;
    return problem.layout == "blocked" && (name.ends_with("src") || name.ends_with("dst")) && layout != "nchw16c";
  });
}

/// The same implementation with formats=any was measured with reorders: what it takes is what it costs here.
template <class Arms>
void charge_reorders(Arms& arms) {
  for (auto& arm : arms) {
    if (!arm.foreign_layout) continue;
    const std::string whole_layout = arm.problem.layout == "blocked" ? "nhwc" : arm.problem.layout;
    const auto whole = std::find_if(arms.begin(), arms.end(), [&](const auto& other) {
      return other.problem.layout == whole_layout && other.algorithm.provider == arm.algorithm.provider &&
             other.algorithm.name == arm.algorithm.name && !other.algorithm.options.empty();
    });
    if (whole != arms.end()) arm.median_s = std::max(arm.median_s, whole->median_s);
  }
}

bool is_struck(const Record& record, const Demand& demand, const std::vector<Strike>& struck) {
  return std::any_of(struck.begin(), struck.end(), [&](const Strike& strike) {
    if (strike.id != record.id) return false;
    return !strike.scope || std::find(demand.scopes.begin(), demand.scopes.end(), *strike.scope) != demand.scopes.end();
  });
}

/// The fastest arm that `wanted` accepts: in the network's layout if there is one (in an nhwc network an arm with formats=any
/// brings its own reorders and its time holds them; in a blocked network the arms of the `blocked` comparison run bare, and
/// the planner puts reorders where two neighbours disagree), in any other else.
template <class Arms, class Wanted>
auto pick(const Arms& arms, const std::string& activation_layout, const Wanted& wanted) -> decltype(&arms.front()) {
  const auto* found = static_cast<decltype(&arms.front())>(nullptr);
  for (const auto& arm : arms) {
    if (!wanted(arm)) continue;
    if (arm.problem.layout == activation_layout) return &arm;
    if (found == nullptr) found = &arm;
  }
  return found;
}

}  // namespace

Choices::~Choices() = default;

Choices::Choices(const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records) {
  std::map<std::string, std::vector<const Record*>> by_problem;
  for (const auto& record : records) by_problem[record.id.substr(0, record.id.rfind('/'))].push_back(&record);
  std::map<Selection::Key, Layer> layers;
  for (const auto& comparison : comparisons) {
    // Only problems that a network asks for can be selected for it, and a network's own step is none of them.
    if (comparison.used_by.empty() || comparison.suite == "train_step" || comparison.suite == "inference") continue;
    auto problem = parse_problem_id(comparison.problem);
    if (!problem) continue;
    auto& layer = layers[{problem->op, problem->shape, problem->types}];
    layer.problem = *problem;
    layer.uses = std::max(layer.uses, comparison.used_by.size());
    for (const auto* record : by_problem[comparison.problem]) {
      if (record->status != RunStatus::ok || !record->timing) continue;
      const auto time = summarize(record->timing->samples, Half::choosing, comparison.blocks, comparison.schedule_seed);
      auto name = parse_case_id(record->id);
      if (!time || !name) continue;  // a slow arm has no choosing sample and is no candidate
      layer.arms.push_back({*problem, name->algorithm, record, time->median_s, has_foreign_layout(*problem, *record)});
    }
  }
  for (auto& [key, layer] : layers) {
    charge_reorders(layer.arms);
    std::stable_sort(layer.arms.begin(), layer.arms.end(), [](const Arm& a, const Arm& b) { return a.median_s < b.median_s; });
    layers_.push_back(std::move(layer));
  }
}

std::size_t Choices::problems() const {
  return static_cast<std::size_t>(std::count_if(layers_.begin(), layers_.end(), [](const Layer& layer) { return !layer.arms.empty(); }));
}

Candidate Choices::choose(const Policy& policy, const std::string& activation_layout, const std::vector<Strike>& struck) const {
  Candidate candidate;
  candidate.selection.name = policy.name;
  candidate.selection.demand = policy.demand.name;
  candidate.selection.activation_layout = activation_layout;

  const Demand& none = demands().front();
  const auto usable = [&](const Arm& arm) { return !is_struck(*arm.record, none, struck); };
  const auto meeting = [&](const Arm& arm) {
    if (is_struck(*arm.record, policy.demand, struck)) return false;
    return policy.kind == PolicyKind::claimed ? claims(*arm.record, policy.demand) : meets(*arm.record, policy.demand);
  };
  struct Options {
    const Layer* layer;
    const Arm *fastest, *meeting;
    bool bought = false;
    double extra_s() const { return std::max(0.0, meeting->median_s - fastest->median_s); }
  };
  std::vector<Options> options;
  for (const auto& layer : layers_) {
    options.push_back({&layer, pick(layer.arms, activation_layout, usable), pick(layer.arms, activation_layout, meeting)});
    if (options.back().fastest) candidate.fastest_s += options.back().fastest->median_s * static_cast<double>(layer.uses);
  }
  if (policy.kind == PolicyKind::budget) {
    std::vector<Options*> order;
    for (auto& o : options)
      if (o.meeting != nullptr) order.push_back(&o);
    std::stable_sort(order.begin(), order.end(), [](const Options* a, const Options* b) { return a->extra_s() < b->extra_s(); });
    const double budget_s = candidate.fastest_s * policy.budget_percent / 100;
    double spent_s = 0;
    for (auto* o : order) {
      const double cost_s = o->extra_s() * static_cast<double>(o->layer->uses);
      if (spent_s + cost_s > budget_s) continue;
      spent_s += cost_s;
      o->bought = true;
    }
  }
  for (const auto& o : options) {
    const bool takes_fastest = policy.kind == PolicyKind::fastest || (policy.kind == PolicyKind::budget && !o.bought);
    const Arm* arm = takes_fastest ? o.fastest : o.meeting;
    if (arm == nullptr) {
      candidate.unmet.push_back(o.layer->problem.op + "/" + o.layer->problem.shape);
      continue;
    }
    Pick chosen{arm->problem, {arm->problem.layout, arm->algorithm}, arm->median_s, o.layer->uses, meeting(*arm), ""};
    for (const auto& other : o.layer->arms)
      if (&other != arm && (takes_fastest ? usable(other) : meeting(other))) {
        chosen.runner_up = algorithm_id(other.algorithm);
        break;
      }
    candidate.selection.set(o.layer->problem, chosen.rule);
    candidate.total_s += arm->median_s * static_cast<double>(o.layer->uses);
    candidate.layers += o.layer->uses;
    if (chosen.met) candidate.layers_met += o.layer->uses;
    candidate.picks.push_back(std::move(chosen));
  }
  return candidate;
}

Candidate Choices::choose(const Policy& policy, const std::vector<Strike>& struck) const {
  if (policy.kind == PolicyKind::budget) return choose(policy, choose(*parse_policy("fastest"), struck).selection.activation_layout, struck);
  auto plain = choose(policy, "nhwc", struck);
  auto blocked = choose(policy, "blocked", struck);
  if (blocked.unmet.size() != plain.unmet.size()) return blocked.unmet.size() < plain.unmet.size() ? blocked : plain;
  return blocked.total_s < plain.total_s ? blocked : plain;
}

}  // namespace detbench
