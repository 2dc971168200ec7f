// One comparison as charts and tables see it: every published time and ratio comes from the reporting half of the
// blocks; the choosing half only picks which arm is called the fastest (METHOD section 7).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/core/statistics.hpp"
#include "bench/records/record.hpp"

namespace detbench::analysis {

/// How far an arm's bits were seen to agree, worst first: the agreement axis of the tradeoff.
enum class Tier { differs_run_to_run, differs_with_partition, differs_otherwise, none_can_show, partly_untested, no_difference };
/// "differs from run to run", ..., "no difference in any scope tested". none_can_show: nothing differed, and the problem is
/// such that no order of additions could change a bit (note `cannot_show`), so that nothing was learnt.
std::string_view to_text(Tier tier);
inline constexpr std::array all_tiers{Tier::no_difference, Tier::partly_untested, Tier::none_can_show, Tier::differs_otherwise,
                                      Tier::differs_with_partition, Tier::differs_run_to_run};
Tier tier_of(const Record& record);

/// What a user asks of the bits (DESIGN section 6): run_to_run is repeat, process and load; partition is those and
/// partition.
enum class Demand { nothing, run_to_run, partition };
std::string_view to_text(Demand demand);
enum class DemandState { met, differs, untested };
DemandState state_of(const Record& record, Demand demand);

const ScopeResult* find_scope(const Record& record, Scope scope);
/// Why no order of additions could change a bit of this row (note `cannot_show`); empty: it could.
std::string cannot_show(const Record& record);

struct ArmView {
  const Record* record = nullptr;
  std::string algorithm;  ///< "onednn:gemm@..."
  std::string provider;
  Tier tier = Tier::partly_untested;
  std::vector<Sample> reporting;     ///< of the reporting half, as statistics use them
  std::optional<TimeSummary> time;   ///< reporting half; nullopt: not timed
  std::optional<double> choosing_s;  ///< choosing half's median; picks, is never shown
  std::optional<Interval> ratio;     ///< to the fastest arm, paired by block; nullopt: too few blocks
  std::optional<double> relative;    ///< to the fastest arm: ratio's middle, else the quotient of medians
  TimingVerdict verdict = TimingVerdict::ambiguous;
  bool frontier_agreement = false;  ///< no arm is both faster and at least as agreeing
  bool frontier_error = false;      ///< likewise for the error in ULP
  bool frontier_workspace = false;  ///< likewise for the workspace

  bool timed() const { return time.has_value(); }
  bool slow() const { return record->timing && record->timing->slow; }
};

struct ComparisonView {
  const ResultFile* file = nullptr;
  std::string tag;  ///< of the file, when there are several
  std::string problem, op, suite;
  std::string label;                     ///< short and unique within (file, op): a layer's name, or the shape
  const ComparisonInfo* info = nullptr;  ///< nullptr: rows without a comparison, like unsupported problems
  std::vector<ArmView> arms;             ///< timed ones by time, then the rest in order of the file
  std::optional<std::size_t> fastest;    ///< into arms, picked by the choosing half
  std::optional<Interval> twin_band;     ///< A/A ratio of the reporting half
  bool busy = false;                     ///< over a third of the blocks had foreign load: every ratio is ambiguous

  /// The band as it judges: as far below 1 as above it.
  std::optional<Interval> symmetric_band() const;
  std::string group() const { return tag.empty() ? op : op + " · " + tag; }
};

/// All comparisons of all files, in order of the files. Views point into `files`, which must outlive them.
std::vector<ComparisonView> view_comparisons(const std::vector<ResultFile>& files);

/// The same comparison with those arms alone that `keep` names: the fastest, ratios, verdicts and frontiers are among them;
/// the A/A band stays the comparison's, whose blocks they shared.
ComparisonView narrowed(const ComparisonView& view, const std::function<bool(const ArmView&)>& keep);

/// Paired ratio of two arms' reporting halves. Equal arms give exactly 1.
std::optional<Interval> ratio_between(const ComparisonView& view, const ArmView& base, const ArmView& arm);

}  // namespace detbench::analysis
