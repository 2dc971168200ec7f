#include "kernels/cudnn/search.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "kernels/cudnn/knob_sweep.hpp"

namespace detbench::cudnn {
namespace {

class Search {
 public:
  Search(const OperationGraph& graph, const Target& target, const AlgorithmSearch& how, int sm_count_target)
      : graph_(graph), target_(target), how_(how), sm_count_target_(sm_count_target) {}

  Result<SearchResult> run() {
    for (auto& engine : describe_engines(graph_, target_, sm_count_target_))
      if (engine.finalized()) result_.engines.push_back(std::move(engine));
    // t2 starts at t1's points, whether or not t1 itself is wanted.
    if (how_.has(Tier::t1) || how_.has(Tier::t2))
      if (auto s = ask_heuristics(); !s) return tl::unexpected(s.error());
    if (how_.has(Tier::t0))
      for (const auto& engine : result_.engines) add({engine.index, {}}, Tier::t0);
    if (how_.has(Tier::t2)) change_one_knob();
    if (how_.has(Tier::t3))
      for (const auto& engine : result_.engines) sweep(engine);
    return std::move(result_);
  }

 private:
  const Engine* find_engine(std::int64_t index) const {
    const auto at = std::find_if(result_.engines.begin(), result_.engines.end(), [&](const Engine& e) { return e.index == index; });
    return at == result_.engines.end() ? nullptr : &*at;
  }

  /// The candidate of this configuration, made and checked where there is none yet.
  Candidate& add(const Configuration& configuration, Tier tier) {
    const auto [at, is_new] = positions_.emplace(configuration, result_.candidates.size());
    if (is_new) {
      Candidate candidate;
      candidate.configuration = configuration;
      const Engine* engine = find_engine(configuration.engine);
      auto checked = engine ? check(*engine, configuration) : check(describe_engine(graph_, target_, configuration.engine, sm_count_target_), configuration);
      candidate.support = checked.support;
      candidate.status = checked.status;
      candidate.reason = std::move(checked.reason);
      candidate.workspace_bytes = checked.workspace_bytes;
      result_.candidates.push_back(std::move(candidate));
    }
    auto& candidate = result_.candidates[at->second];
    if (std::find(candidate.tiers.begin(), candidate.tiers.end(), tier) == candidate.tiers.end()) {
      candidate.tiers.push_back(tier);
      std::sort(candidate.tiers.begin(), candidate.tiers.end());
    }
    return candidate;
  }

  Status ask_heuristics() {
    for (const auto mode : all_heuristic_modes) {
      auto ranked = propose(graph_, target_, mode, sm_count_target_);
      if (!ranked) return tl::unexpected(ranked.error());
      for (std::size_t i = 0; i < ranked->size(); ++i) {
        const auto& configuration = (*ranked)[i];
        proposed_.insert(configuration);
        if (!how_.has(Tier::t1)) continue;
        auto& ranks = add(configuration, Tier::t1).ranks;
        if (std::none_of(ranks.begin(), ranks.end(), [&](const Ranked& r) { return r.mode == mode; })) ranks.push_back({mode, static_cast<int>(i) + 1});
      }
    }
    return {};
  }

  void change_one_knob() {
    for (const auto& point : proposed_) {
      const Engine* engine = find_engine(point.engine);
      if (engine == nullptr) continue;
      for (const auto& knob : engine->knobs)
        for (const auto value : knob_values(knob)) {
          auto changed = point;
          changed.knobs[knob.type] = value;
          if (changed == point) continue;
          if (positions_.contains(changed) || check_quickly(*engine, changed) == CUDNN_STATUS_SUCCESS) add(changed, Tier::t2);
        }
    }
  }

  void sweep(const Engine& engine) {
    auto [sweep, drawn] = sweep_knobs(engine, how_);
    for (const auto& configuration : drawn) add(configuration, Tier::t3);
    result_.sweeps.push_back(sweep);
  }

  const OperationGraph& graph_;
  const Target& target_;
  const AlgorithmSearch& how_;
  int sm_count_target_;
  SearchResult result_;
  std::map<Configuration, std::size_t> positions_;
  std::set<Configuration> proposed_;
};

}  // namespace

const Engine& SearchResult::engine_of(const Candidate& candidate) const {
  static const Engine none;
  const auto at = std::find_if(engines.begin(), engines.end(), [&](const Engine& e) { return e.index == candidate.configuration.engine; });
  return at == engines.end() ? none : *at;
}

Result<SearchResult> search(const OperationGraph& graph, const Target& target, const AlgorithmSearch& how, int sm_count_target) {
  return Search(graph, target, how, sm_count_target).run();
}

std::map<std::string, std::string> notes_of(const SearchResult& result, const Candidate& candidate) {
  std::map<std::string, std::string> notes;
  const auto& engine = result.engine_of(candidate);
  if (!candidate.tiers.empty()) notes["tiers"] = format_tiers(candidate.tiers);
  notes["numerical_notes"] = note_names(engine.notes);
  notes["behaviour_notes"] = behaviour_names(engine.behaviours);
  notes["support"] = std::string(to_text(candidate.support));
  if (candidate.support == Support::valid) notes["workspace_bytes"] = std::to_string(candidate.workspace_bytes);
  std::string ranks;
  for (const auto& [mode, rank] : candidate.ranks) ranks += (ranks.empty() ? "" : ",") + std::string(to_text(mode)) + ":" + std::to_string(rank);
  if (!ranks.empty()) notes["heuristics"] = ranks;
  if (std::find(candidate.tiers.begin(), candidate.tiers.end(), Tier::t3) != candidate.tiers.end())
    for (const auto& sweep : result.sweeps)
      if (sweep.engine == candidate.configuration.engine) notes["knob_search"] = to_text(sweep);
  return notes;
}

std::string to_text(const KnobSweep& sweep) {
  if (sweep.unknown) return "not searched: what this engine takes is not known here";
  char combinations[32];
  std::snprintf(combinations, sizeof combinations, "%.6g", sweep.combinations);
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  std::string text = sweep.exhaustive ? "all " + std::string(combinations) + " combinations tried, " + number(sweep.valid) + " valid"
                                      : std::string(combinations) + " combinations searched knob by knob in " + number(sweep.tried) + " tries" +
                                            (sweep.complete ? "" : ", which did not suffice") + ", " + number(sweep.valid) + " valid, " +
                                            number(sweep.drawn) + " drawn";
  if (sweep.ladder) text += "; split-K knobs at powers of two";
  return text;
}

}  // namespace detbench::cudnn
