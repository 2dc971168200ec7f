// Which configurations of a graph are worth running, tier by tier (kernels/search.hpp), with what the library says to each.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/cudnn/heuristics.hpp"
#include "kernels/search.hpp"

namespace detbench::cudnn {

struct Ranked {
  HeuristicMode mode;
  int rank;  ///< from 1
  bool operator==(const Ranked&) const = default;
};

/// A configuration that some tier found. Equal configurations are one candidate: the JSON of an execution plan holds the
/// graph, the engine and the knobs and nothing else that could tell two of one graph apart.
struct Candidate {
  Configuration configuration;
  std::vector<Tier> tiers;      ///< that found it, ascending
  std::vector<Ranked> ranks;    ///< where the heuristics have it, at most one per mode
  Support support = Support::unsupported;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  std::string reason;           ///< empty when valid
  std::int64_t workspace_bytes = 0;
};

/// How far t3 went for one engine.
struct KnobSweep {
  std::int64_t engine = 0;
  double combinations = 0;      ///< of knob values, split-K knobs on their ladder
  std::uint64_t tried = 0, valid = 0, drawn = 0;
  bool exhaustive = false;      ///< every combination was tried and every valid one taken
  bool complete = false;        ///< otherwise: the search knob by knob came to its end, and the draw is from all it reached
  bool ladder = false;          ///< a knob went over a ladder instead of its whole range
  bool unknown = false;         ///< nothing was tried: the library cannot say here (Support::unknown)
};

struct SearchResult {
  std::vector<Engine> engines;        ///< that finalized, ascending by index
  /// t1 by mode and rank (so the first is what the library itself would take), then t0, t2, t3.
  std::vector<Candidate> candidates;
  std::vector<KnobSweep> sweeps;      ///< t3 only
  const Engine& engine_of(const Candidate& candidate) const;
};

/// t0: every engine that finalizes, knobs at its own choice; those that refuse or cannot be judged here stay in the list with
/// the reason. t1: the heuristics' lists of modes A, B, FALLBACK and INSTANT. t2: each valid configuration that differs from
/// one of t1 in one knob. t3, per engine: all valid combinations where there are at most `exhaustive_limit` of them to try;
/// else `sample` drawn with the seed from the valid ones that setting one knob after the other reaches (knob_sweep.hpp).
/// Knobs that split a sum (SPLIT_K, SPLIT_K_BUF, SPLIT_K_SLC, SPLIT_P_SLC) and knobs of more than 512 values go over their
/// ends and the powers of two between. `sm_count_target` 0: not set.
Result<SearchResult> search(const OperationGraph& graph, const Target& target, const AlgorithmSearch& how, int sm_count_target = 0);

/// The values that t2 and t3 give a knob, ascending; `ladder` tells whether that is less than its range.
std::vector<std::int64_t> knob_values(const Knob& knob, bool* ladder = nullptr);

/// For Offer::notes: tiers ("t0,t1"), heuristics ("A:1,B:2"), numerical_notes, behaviour_notes, workspace_bytes, support, and
/// for t3 knob_search in words.
std::map<std::string, std::string> notes_of(const SearchResult& result, const Candidate& candidate);
/// "all 18 combinations tried, 18 valid" or "2.21184e+06 combinations searched knob by knob in 7421 tries, 238 valid, 64 drawn;
/// split-K knobs at powers of two".
std::string to_text(const KnobSweep& sweep);

}  // namespace detbench::cudnn
