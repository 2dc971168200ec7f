#include "bench/analysis/price.hpp"

#include <cmath>

namespace detbench::analysis {
namespace {

/// The choosing half's fastest arm that meets the demand. Slow arms have no choosing sample: where only they are left,
/// the first in the provider's order stands, which no time picked.
const ArmView* choose(const ComparisonView& view, Demand demand) {
  const ArmView* best = nullptr;
  const ArmView* slow = nullptr;
  for (const auto& arm : view.arms) {
    if (!arm.timed() || state_of(*arm.record, demand) != DemandState::met) continue;
    if (arm.choosing_s && (!best || *arm.choosing_s < *best->choosing_s)) best = &arm;
    // Arms are sorted by their published time; the order of the file is that of their addresses.
    if (!arm.choosing_s && (!slow || arm.record < slow->record)) slow = &arm;
  }
  return best ? best : slow;
}

std::string reason_without_arm(const ComparisonView& view, Demand demand, bool& untested) {
  bool any_timed = false, any_can_show = false;
  for (const auto& arm : view.arms) {
    any_timed = any_timed || arm.timed();
    any_can_show = any_can_show || (arm.timed() && cannot_show(*arm.record).empty());
    if (arm.timed() && state_of(*arm.record, demand) == DemandState::untested) untested = true;
  }
  if (!any_timed) return "nothing was timed";
  if (untested && !any_can_show) return "untested: no order of additions can show here";
  return untested ? "untested: no timed arm was seen in every scope of the demand" : "every timed arm differs";
}

}  // namespace

Price price_of(const ComparisonView& view, Demand demand) {
  Price price;
  price.view = &view;
  price.demand = demand;
  price.chosen = choose(view, demand);
  price.fastest = view.fastest ? &view.arms[*view.fastest] : nullptr;
  if (!price.chosen) {
    price.why_not = reason_without_arm(view, demand, price.untested);
    return price;
  }
  if (!price.fastest) {
    price.chosen = nullptr;
    price.why_not = "too few blocks to choose by";
    price.untested = true;
    return price;
  }
  price.interval = ratio_between(view, *price.fastest, *price.chosen);
  if (price.interval) {
    price.ratio = price.interval->middle;
    if (!view.busy)
      price.verdict = price.chosen == price.fastest ? TimingVerdict::same : judge(*price.interval, view.twin_band);
  } else {
    price.ratio = price.chosen->time->median_s / price.fastest->time->median_s;
  }
  return price;
}

PriceSummary summarize_prices(const std::vector<Price>& prices) {
  PriceSummary s;
  std::vector<double> ratios;
  double logs = 0;
  for (const auto& price : prices) {
    if (!price.ratio) {
      if (price.why_not != "nothing was timed") ++(price.untested ? s.untested : s.without_arm);
      continue;
    }
    ratios.push_back(*price.ratio);
    logs += std::log(*price.ratio);
    if (price.chosen == price.fastest || price.verdict == TimingVerdict::same) ++s.free;
    if (price.verdict == TimingVerdict::slower) ++s.dearer;
    if (!s.largest || *price.ratio > *s.largest) {
      s.largest = price.ratio;
      s.largest_label = price.view->group() + " " + price.view->label;
    }
  }
  s.problems = ratios.size();
  if (!ratios.empty()) s.geometric_mean = std::exp(logs / static_cast<double>(ratios.size()));
  s.median = median(ratios);
  return s;
}

}  // namespace detbench::analysis
