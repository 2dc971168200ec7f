// What charts, tables and findings about reductions share: which problems they are, what kind of arm an arm is, how far
// from the exact sum it came, and where a difference could not show at all.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

/// What fixes an arm's order of additions.
enum class OrderKind {
  unordered,          ///< nothing is claimed
  repeatable,         ///< claimed for one machine or partition, not everywhere
  fixed_order,        ///< claimed gpu_to_gpu: the order is part of the algorithm
  order_independent   ///< claimed gpu_to_gpu: no order changes a bit
};
/// "unordered", "claims run_to_run", "fixed order", "order-independent".
std::string_view to_text(OrderKind kind);
OrderKind order_kind(const ArmView& arm);
/// Unordered, and adds by atomics, as its name says.
bool is_atomic(const ArmView& arm);

/// Error against the exact sum in ULP of the output's type, and over how many runs.
struct ErrorUlp {
  double value = 0;  ///< of the verified run
  double low = 0, high = 0;
  bool ranged = false;  ///< low and high are of several runs
};
std::optional<ErrorUlp> error_of(const Record& record);
/// "0.42 ULP", "12 ULP (8 to 31 over the runs)".
std::string in_words(const ErrorUlp& error);

/// A problem's name taken apart.
struct ReductionProblem {
  std::string shape, types;
  std::string distribution;             ///< "centred" where the shape names none
  std::string layout;                   ///< of a scatter: "random", "hot", "adjacent", ...; empty: not a scatter
  std::optional<double> updates_per_bin;
  std::optional<double> updates;
};
ReductionProblem reduction_problem(const ComparisonView& view);

/// The fastest of the arms that `wanted` takes, by the choosing half. Slow arms were timed once and have no choosing
/// sample: where only they are left, the first of the file stands, which no time picked. nullptr: none was timed.
template <class Wanted>
const ArmView* fastest_of(const ComparisonView& view, const Wanted& wanted) {
  const ArmView *best = nullptr, *slow = nullptr;
  for (const auto& arm : view.arms) {
    if (!arm.timed() || !wanted(arm)) continue;
    if (arm.choosing_s && (!best || *arm.choosing_s < *best->choosing_s)) best = &arm;
    if (!arm.choosing_s && (!slow || arm.record < slow->record)) slow = &arm;
  }
  return best ? best : slow;
}

/// Time of `arm` over that of `base` from the reporting half: paired where blocks allow.
struct TimeRatio {
  double middle = 1;
  std::optional<Interval> interval;
};
TimeRatio time_ratio(const ComparisonView& view, const ArmView& base, const ArmView& arm);

}  // namespace detbench::analysis
