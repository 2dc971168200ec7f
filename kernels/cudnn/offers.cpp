#include "kernels/cudnn/offers.hpp"

#include <algorithm>
#include <map>

#include "kernels/cudnn/version.hpp"

namespace detbench::cudnn {
namespace {

/// Winograd and FFT: measured on a GPU before a claim about their error is published; until then what the CPU's Winograd
/// F(4x4,3x3) needs (kernels/convolution/onednn.cpp).
constexpr double transform_bound_constant = 8;

bool is_transform(const Engine& engine) {
  for (const auto note : {CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
                          CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13})
    if (engine.has_note(note)) return true;
  return false;
}

Algorithm algorithm_of(const Engine& engine, std::string name, const OfferRules& rules) {
  Algorithm algorithm;
  algorithm.provider = rules.provider;
  algorithm.name = std::move(name);
  algorithm.claim = claim_of(engine);
  if (engine.has_note(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) algorithm.bound_constant = rules.reduced_precision_constant;
  if (is_transform(engine)) {
    algorithm.sum_of_products = false;
    algorithm.bound_constant = std::max(algorithm.bound_constant, transform_bound_constant);
  }
  return algorithm;
}

Reason nothing_to_pick(HeuristicMode mode, int proposals) {
  const std::string of_mode(to_text(mode));
  return {proposals == 0 ? "the heuristics of mode " + of_mode + " propose nothing for this graph"
                         : "none of the " + std::to_string(proposals) + " proposals of mode " + of_mode + " is valid and allowed here",
          Reason::Kind::unsupported};
}

}  // namespace

Claim claim_of(const Engine& engine) {
  const auto version = cudnn_version();
  const bool noted = engine.has_note(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  Claim claim;
  claim.source = "cuDNN " + version.value_or("9") + ": engine " + (noted ? "with" : "without") + " the NONDETERMINISTIC note";
  if (noted) return claim;
  claim.guarantee = Guarantee::run_to_run;
  claim.coverage = {Scope::repeat, Scope::process, Scope::load, Scope::placement};
  return claim;
}

Offer make_offer(const SearchResult& result, const Candidate& candidate, const OfferRules& rules) {
  const auto& engine = result.engine_of(candidate);
  Offer offer{algorithm_of(engine, rules.prefix + to_text(candidate.configuration), rules), std::nullopt, notes_of(result, candidate)};
  const auto refuse = [&](std::string text) { offer.unsupported = Reason{std::move(text), Reason::Kind::unsupported}; };
  if (auto refused = rules.refuse(engine); !refused.empty())
    refuse(std::move(refused));
  else if (candidate.support != Support::valid)
    refuse(candidate.reason);
  else if (static_cast<std::size_t>(candidate.workspace_bytes) > rules.workspace_cap_bytes)
    refuse("wants a workspace of " + std::to_string(candidate.workspace_bytes) + " bytes, more than the cap of " + std::to_string(rules.workspace_cap_bytes));
  return offer;
}

std::vector<Offer> make_offers(const SearchResult& result, const OfferRules& rules) {
  // An engine that is refused as such is one row, whatever the heuristics and the knobs have to say about it: its own choice
  // of knobs where t0 was searched.
  std::map<std::int64_t, std::size_t> refused;
  for (std::size_t i = 0; i < result.candidates.size(); ++i) {
    const auto& candidate = result.candidates[i];
    if (rules.refuse(result.engine_of(candidate)).empty()) continue;
    const auto [at, is_first] = refused.emplace(candidate.configuration.engine, i);
    if (!is_first && candidate.configuration.knobs.empty()) at->second = i;
  }
  std::vector<Offer> offers;
  for (std::size_t i = 0; i < result.candidates.size(); ++i) {
    const auto at = refused.find(result.candidates[i].configuration.engine);
    if (at == refused.end() || at->second == i) offers.push_back(make_offer(result, result.candidates[i], rules));
  }
  return offers;
}

Offer offer_configuration(const OperationGraph& graph, const Target& target, const Configuration& configuration, const OfferRules& rules,
                          int sm_count_target) {
  SearchResult alone;
  alone.engines.push_back(describe_engine(graph, target, configuration.engine, sm_count_target));
  auto checked = check(alone.engines.front(), configuration);
  Candidate candidate;
  candidate.configuration = configuration;
  candidate.support = checked.support;
  candidate.status = checked.status;
  candidate.reason = std::move(checked.reason);
  candidate.workspace_bytes = checked.workspace_bytes;
  return make_offer(alone, candidate, rules);
}

std::string pick_name(HeuristicMode mode) {
  switch (mode) {
    case HeuristicMode::instant: return "pick:heur_mode_instant";
    case HeuristicMode::b: return "pick:heur_mode_b";
    case HeuristicMode::fallback: return "pick:heur_mode_fallback";
    case HeuristicMode::a: return "pick:heur_mode_a";
  }
  return "";
}

std::optional<HeuristicMode> parse_pick_name(std::string_view name) {
  for (const auto mode : all_heuristic_modes)
    if (pick_name(mode) == name) return mode;
  return std::nullopt;
}

Offer make_pick_offer(const SearchResult& result, HeuristicMode mode, const OfferRules& rules) {
  const auto rank_of = [&](const Candidate& candidate) {
    for (const auto& [of, rank] : candidate.ranks)
      if (of == mode) return rank;
    return 0;
  };
  int proposals = 0;
  const Candidate* best = nullptr;
  for (const auto& candidate : result.candidates) {
    const int rank = rank_of(candidate);
    if (rank == 0) continue;
    ++proposals;
    if (best != nullptr && rank_of(*best) < rank) continue;
    if (!make_offer(result, candidate, rules).unsupported) best = &candidate;
  }
  Offer offer;
  if (best != nullptr) {
    offer = make_offer(result, *best, rules);
    offer.notes["selected"] = to_text(best->configuration);
  } else {
    offer.algorithm.provider = rules.provider;
    offer.unsupported = nothing_to_pick(mode, proposals);
  }
  offer.algorithm.name = pick_name(mode);
  return offer;
}

Result<Configuration> pick(const OperationGraph& graph, const Target& target, HeuristicMode mode, const OfferRules& rules, int sm_count_target) {
  const auto ranked = propose(graph, target, mode, sm_count_target);
  if (!ranked) return tl::unexpected(ranked.error());
  for (const auto& configuration : *ranked) {
    const auto engine = describe_engine(graph, target, configuration.engine, sm_count_target);
    if (!engine.finalized() || !rules.refuse(engine).empty()) continue;
    const auto checked = check(engine, configuration);
    if (checked.support == Support::valid && static_cast<std::size_t>(checked.workspace_bytes) <= rules.workspace_cap_bytes) return configuration;
  }
  return tl::unexpected(nothing_to_pick(mode, static_cast<int>(ranked->size())));
}

}  // namespace detbench::cudnn
