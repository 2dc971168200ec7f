// What determinism costs a whole network, in one sentence per machine, network, phase, types, execution and size: the first thing a
// reader wants to know. Every figure comes from the measured step or inference, choosing and reporting halves kept apart.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/analysis/price.hpp"
#include "bench/analysis/tables.hpp"

namespace detbench::analysis {

/// One policy of a headline, held against the fastest one and against the library's own choice.
struct PolicyCost {
  const ArmView* arm = nullptr;
  std::string policy;                    ///< "fastest_observed:run_to_run"
  std::optional<Interval> to_fastest;    ///< paired ratio of the reporting half; 1 for the fastest itself; nullopt: too few blocks, or not timed
  std::optional<Interval> to_heuristic;  ///< the same against `library_heuristic`
  std::string verdict_to_fastest, verdict_to_heuristic;  ///< "slower", "within noise", "ambiguous: ...", empty without a ratio
  std::string bits;                      ///< what was observed, per scope, with n
};

/// The policies that ran one network in one way: arms of one comparison that differ in the policy alone.
struct Headline {
  std::shared_ptr<const ComparisonView> view;  ///< narrowed to these arms; everything below points into it
  std::string machine;   ///< with libraries
  std::string phase;     ///< "train step", "inference"
  std::string network;   ///< "mobilenet_v2"
  std::string size;      ///< "alpha 0.35, 96 px, batch 8, 1000 classes"
  std::string precision; ///< "strict f32", "TF32", "bf16 mixed"
  std::string setting;   ///< "by launches, optimizer adam"; empty: nothing to say
  const ArmView* fastest = nullptr;  ///< picked by the choosing half; nullptr: nothing was timed
  std::vector<PolicyCost> costs;     ///< timed ones by time, then the others

  /// "train step of mobilenet_v2 (alpha 0.35, 96 px, batch 8, 1000 classes; strict f32)".
  std::string title() const;
};

/// In order of the files. Files must outlive them.
std::vector<Headline> make_headlines(const std::vector<ComparisonView>& views);

/// The one sentence: the fastest policy and its time, what no difference from run to run (and under any partition, where that was
/// tested) costs and by which policy, with interval, band and bits. Says so where nothing was timed.
std::string sentence(const Headline& headline);
/// A policy's line below it: its price against the fastest and the library's own choice, and its bits.
std::string sentence(const PolicyCost& cost);
/// "no difference in 10 repeats, 2 processes, 30 runs under load", "differs in 3 of 10 repeats (4 distinct); ...".
std::string bits_in_words(const Record& record);

/// headlines.md: a list item per headline ("- **title**: sentence"), below it an item per policy, then what the words mean.
std::string headlines_markdown(const std::vector<Headline>& headlines);
/// A row per headline and policy, with every figure.
Table network_price_table(const std::vector<Headline>& headlines);

}  // namespace detbench::analysis
