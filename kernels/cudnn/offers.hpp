// From what a search found to rows: claims, reasons, notes. Shared by every provider of the graph API.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/cudnn/search.hpp"
#include "kernels/op.hpp"

namespace detbench::cudnn {

/// What cuDNN promises of an engine's bits: its guide calls nondeterministic what carries the note; the rest repeats on GPUs
/// of one architecture with one version. Covers repeat, process, load and placement.
Claim claim_of(const Engine& engine);

struct OfferRules {
  std::string provider = "cudnn_graph";
  std::string prefix;  ///< before the configuration's name: "pad+"
  /// A reason to refuse an engine whatever its configuration ("" to take it): lower precision than asked, for instance.
  std::function<std::string(const Engine&)> refuse = [](const Engine&) { return std::string(); };
  std::size_t workspace_cap_bytes = std::size_t{1} << 30;
  /// Algorithm::bound_constant of engines with the REDUCED_PRECISION_REDUCTION note: the roundoff of their accumulator over
  /// that of the problem's.
  double reduced_precision_constant = 1;
};

/// A candidate as a row: the claim and, where it cannot run, the reason (refused, not supported, unknown, over the workspace
/// cap with its size). Engines with a WINOGRAD or FFT note are no sums of products.
Offer make_offer(const SearchResult& result, const Candidate& candidate, const OfferRules& rules);
/// All of them, but one row for an engine that the rules refuse.
std::vector<Offer> make_offers(const SearchResult& result, const OfferRules& rules);

/// The row of one configuration, whether a search would find it or not.
Offer offer_configuration(const OperationGraph& graph, const Target& target, const Configuration& configuration, const OfferRules& rules,
                          int sm_count_target = 0);

/// The arms "pick:heur_mode_a" and so on: what the heuristics' list of one mode has first among those that are valid and not
/// refused, asked afresh whenever a plan is made. The offer needs a search with t1; its note `selected` and its claim are those
/// of what would be picked now.
std::string pick_name(HeuristicMode mode);
std::optional<HeuristicMode> parse_pick_name(std::string_view name);
Offer make_pick_offer(const SearchResult& result, HeuristicMode mode, const OfferRules& rules);
Result<Configuration> pick(const OperationGraph& graph, const Target& target, HeuristicMode mode, const OfferRules& rules, int sm_count_target = 0);

}  // namespace detbench::cudnn
