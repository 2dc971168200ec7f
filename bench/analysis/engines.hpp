// What a library's engines did, one row per engine: tried, answered, claimed, differed, cost. An engine is what a provider names before
// its knobs and options: a cuDNN engine, a legacy or cuBLASLt algorithm, an implementation of oneDNN. Arms that only pad or activate
// around an engine are its arms too.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/analysis/tables.hpp"

namespace detbench::analysis {

/// "cudnn_graph:pad+eng20[TILE_SIZE=3;USE_TEX=0]@ws=0" -> "eng20": what a claim and a number of a library speak of. What stands before it
/// (pads, masks) or behind it (an activation) runs in the same op.
std::string engine_of(const std::string& algorithm);
/// Knobs in the order of the name: {{"SPLIT_K", "4"}, ...}; none: the engine's own choice.
std::vector<std::pair<std::string, std::string>> knobs_of(const std::string& algorithm);
/// Whether a knob's value cuts a sum into parts that have to meet: split-K above 1, a reduction mode or scheme that was named, stream-K.
bool splits_a_sum(const std::string& knob, const std::string& value);

/// What one sampling scope showed over the arms of an engine.
struct EngineScope {
  std::size_t tested = 0, differing = 0;  ///< arms
  std::uint64_t runs = 0;                 ///< over the arms tested
  const Record* worst = nullptr;          ///< most differing runs, as a share; nullptr: none differed
  std::uint32_t worst_differing = 0, worst_runs = 0, worst_distinct = 0;
  /// "none of 12 arms (1200 runs)", "3 of 12 arms; worst 7 of 100 runs, 4 distinct", "" where nothing was tested.
  std::string words() const;
};

struct EngineRow {
  const ResultFile* file = nullptr;
  std::string tag, library;       ///< "cudnn 9.19.0"
  std::string op, provider, engine, types;
  std::size_t problems = 0, arms = 0, with_knobs = 0;
  std::size_t ok = 0, unsupported = 0, incorrect = 0, crashed = 0, other = 0;  ///< arms; other: timed out, out of memory, skipped
  std::string claim;              ///< "called nondeterministic", "claims run_to_run", "no claim"; several joined
  EngineScope repeat, load;
  std::size_t broken = 0;         ///< arms whose claim was broken
  EngineScope split_load;         ///< as `load`, of the arms alone whose knobs split a sum
  std::string split_knobs;        ///< of those that differ: "REDUCTION_MODE=1, SPLIT_K=4"
  const ArmView* best = nullptr;  ///< smallest ratio to the fastest arm of its problem
  const ComparisonView* best_view = nullptr;
};

/// Whole networks, memory traffic and controls are no engines. Sorted by file, library, provider, op, types, engine (numbers by value).
std::vector<EngineRow> engine_rows(const std::vector<ComparisonView>& views);
Table engine_table(const std::vector<EngineRow>& rows);

/// What forbidding every arm that its own library calls nondeterministic costs, problem by problem and library by library: its fastest
/// arm against its fastest arm that is not called so; only where an arm that is called so was timed.
Table forbidding_table(const std::vector<ComparisonView>& views);

}  // namespace detbench::analysis
