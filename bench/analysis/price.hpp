// What a demand on the bits costs one problem: the fastest arm that met it against the fastest arm of all.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

/// Both arms are picked by the choosing half of the blocks; the ratio comes from the reporting half.
struct Price {
  const ComparisonView* view = nullptr;
  Demand demand = Demand::nothing;
  const ArmView* fastest = nullptr;
  const ArmView* chosen = nullptr;   ///< nullptr: no arm, see why_not
  std::optional<double> ratio;       ///< 1 when both are the same arm; published, reporting half
  std::optional<Interval> interval;  ///< nullopt: too few blocks for an interval
  TimingVerdict verdict = TimingVerdict::ambiguous;
  std::string why_not;    ///< "every timed arm differs", "untested: ...", "nothing was timed"
  bool untested = false;  ///< no arm, but because a scope is untested, not because of a difference
};

Price price_of(const ComparisonView& view, Demand demand);

/// The summary of many prices: only those with a ratio enter, with how many had none and why.
struct PriceSummary {
  std::size_t problems = 0;     ///< with a published ratio
  std::size_t free = 0;         ///< of those, the fastest arm of all meets the demand, or the price is `same`
  std::size_t dearer = 0;       ///< of those, judged slower
  std::size_t without_arm = 0;  ///< every timed arm differs
  std::size_t untested = 0;
  std::optional<double> median, geometric_mean, largest;
  std::string largest_label;
};
PriceSummary summarize_prices(const std::vector<Price>& prices);

}  // namespace detbench::analysis
