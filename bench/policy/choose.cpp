#include "bench/policy/choose.hpp"

#include <algorithm>
#include <map>

#include "bench/core/statistics.hpp"

namespace detbench {
namespace {

/// An arm of a comparison that may be picked, with its time on the choosing half.
struct Arm {
  Problem problem;
  Algorithm algorithm;
  double median_s;
  bool foreign_layout = false;  ///< its bare time leaves out reorders that the network has to make
};

/// Everything known about one (op, shape, types), in whatever layout it was measured.
struct Layer {
  Problem problem;
  std::size_t uses = 0;
  std::vector<Arm> arms;  ///< those that meet the demand, fastest first
};

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
void charge_reorders(std::vector<Arm>& arms) {
  for (auto& arm : arms) {
    if (!arm.foreign_layout) continue;
    const std::string whole_layout = arm.problem.layout == "blocked" ? "nhwc" : arm.problem.layout;
    const auto whole = std::find_if(arms.begin(), arms.end(), [&](const Arm& other) {
      return other.problem.layout == whole_layout && other.algorithm.provider == arm.algorithm.provider &&
             other.algorithm.name == arm.algorithm.name && !other.algorithm.options.empty();
    });
    if (whole != arms.end()) arm.median_s = std::max(arm.median_s, whole->median_s);
  }
}

std::vector<Layer> layers_of(const Demand& demand, const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records) {
  std::map<std::string, std::vector<const Record*>> by_problem;
  for (const auto& record : records) by_problem[record.id.substr(0, record.id.rfind('/'))].push_back(&record);
  std::map<Selection::Key, Layer> layers;
  for (const auto& comparison : comparisons) {
    // Only problems that a network asks for can be selected for it.
    if (comparison.used_by.empty()) continue;
    auto problem = parse_problem_id(comparison.problem);
    if (!problem) continue;
    auto& layer = layers[{problem->op, problem->shape, problem->types}];
    layer.problem = *problem;
    layer.uses = std::max(layer.uses, comparison.used_by.size());
    for (const auto* record : by_problem[comparison.problem]) {
      if (record->status != RunStatus::ok || !record->timing || !meets(*record, demand)) continue;
      const auto time = summarize(record->timing->samples, Half::choosing, comparison.blocks, comparison.schedule_seed);
      auto name = parse_case_id(record->id);
      if (!time || !name) continue;  // a slow arm has no choosing sample and is no candidate
      layer.arms.push_back({*problem, name->algorithm, time->median_s, has_foreign_layout(*problem, *record)});
    }
  }
  for (auto& [key, layer] : layers) charge_reorders(layer.arms);
  std::vector<Layer> list;
  for (auto& [key, layer] : layers) {
    std::stable_sort(layer.arms.begin(), layer.arms.end(), [](const Arm& a, const Arm& b) { return a.median_s < b.median_s; });
    list.push_back(std::move(layer));
  }
  return list;
}

/// In an nhwc network an arm with formats=any brings its own reorders and its time holds them. In a blocked network
/// the arms of the `blocked` comparison run bare, and the planner puts reorders where two neighbours disagree.
bool fits(const Arm& arm, const std::string& activation_layout) { return arm.problem.layout == activation_layout; }

}  // namespace

const std::vector<Policy>& measured_policies() {
  static const std::vector<Policy> policies{
      {"fastest", {"none", {}}},
      {"fastest_observed:run_to_run", {"run_to_run", {Scope::repeat, Scope::process, Scope::load}}},
      {"fastest_observed:partition", {"partition", {Scope::repeat, Scope::process, Scope::load, Scope::partition}}}};
  return policies;
}

std::string policy_file_name(const std::string& policy) {
  std::string name = policy;
  std::replace(name.begin(), name.end(), ':', '.');
  return name + ".json";
}

bool meets(const Record& record, const Demand& demand) {
  return std::all_of(demand.scopes.begin(), demand.scopes.end(), [&](Scope scope) {
    return std::any_of(record.agreement.begin(), record.agreement.end(), [&](const ScopeResult& result) {
      return result.scope == scope && result.verdict == ScopeVerdict::no_difference;
    });
  });
}

Candidate choose(const Policy& policy, const std::string& activation_layout, const std::vector<ComparisonInfo>& comparisons,
                 const std::vector<Record>& records) {
  Candidate candidate;
  candidate.selection.name = policy.name;
  candidate.selection.demand = policy.demand.name;
  candidate.selection.activation_layout = activation_layout;
  for (const auto& layer : layers_of(policy.demand, comparisons, records)) {
    auto pick = std::find_if(layer.arms.begin(), layer.arms.end(), [&](const Arm& arm) { return fits(arm, activation_layout); });
    if (pick == layer.arms.end()) pick = layer.arms.begin();
    if (pick == layer.arms.end()) {
      candidate.unmet.push_back(layer.problem.op + "/" + layer.problem.shape);
      continue;
    }
    candidate.selection.set(layer.problem, {pick->problem.layout, pick->algorithm});
    candidate.total_s += pick->median_s * static_cast<double>(layer.uses);
  }
  return candidate;
}

Candidate choose(const Policy& policy, const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records) {
  auto plain = choose(policy, "nhwc", comparisons, records);
  auto blocked = choose(policy, "blocked", comparisons, records);
  // Fewer layers left without an algorithm first, then less time.
  if (blocked.unmet.size() != plain.unmet.size()) return blocked.unmet.size() < plain.unmet.size() ? blocked : plain;
  return blocked.total_s < plain.total_s ? blocked : plain;
}

Status write_policies(const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records,
                      const std::map<std::string, std::string>& target, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return failure("'" + directory.string() + "' cannot be made: " + error.message());
  for (const auto& policy : measured_policies()) {
    auto chosen = choose(policy, comparisons, records);
    if (chosen.selection.rules() == 0) continue;  // nothing was measured to choose from
    chosen.selection.target = target;
    if (auto written = write_whole_file(directory / policy_file_name(policy.name), write_selection(chosen.selection), true); !written) return written;
  }
  return {};
}

}  // namespace detbench
