// Rows of the charts and tables about reductions: three prices, the price of order against contention, rooflines and
// speed targets, layouts in which no order can show. Pure, like chart_data.hpp.
#pragma once

#include "bench/analysis/reduction_view.hpp"

namespace detbench::analysis {

/// One row per timed arm of at most `most_problems` problems (of each op, type and distribution the largest): panel,
/// panel_rank, algorithm, provider, claim, observed, order, time_us, gb_per_s, error_ulp, error_low, error_high,
/// relative_error, condition, axis_low, axis_high (round numbers around the times of the panel), label (empty where it
/// would cover another), label_side, replay.
Json three_price_rows(const std::vector<ComparisonView>& views, std::size_t most_problems);
/// "observed" of three_price_rows: a tier, or that none can show.
std::string observed_words(const ArmView& arm);

/// One row per scatter problem (of `only`, where given) and strategy (fixed order, order-independent): panel, strategy, layout, updates_per_bin,
/// updates, price (time over that of the fastest atomic arm), low, high, shows ("yes", "no"), why, atomic, ordered,
/// label, problem, replay.
Json contention_rows(const std::vector<ComparisonView>& views, const ResultFile* only = nullptr);

/// One row per timed arm of a reduction: group, label, algorithm, order, claim, observed, lowering, time_us, gb_per_s,
/// roof_gb_per_s, roof (which measurement), share, unordered, to_unordered, low, high, bound, replay.
Json reduction_speed_rows(const std::vector<ComparisonView>& views);

/// One row per speed target and problem it speaks of (DESIGN section 11): file, target, problem, arm, reached, low, high,
/// asked, verdict ("met", "missed", "not measured", "ambiguous: ..."), share, bound, replay.
Json speed_target_rows(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files);
/// Those of one file; `tag` is their "file".
Json speed_target_rows(const std::vector<ComparisonView>& views, const ResultFile& file, std::string tag);

/// One row per row of a problem in which no order can show: group, label, algorithm, seen, why, replay.
Json worst_case_rows(const std::vector<ComparisonView>& views);

/// One row per measured ceiling, of memory and of arithmetic: file, op, buffer (its bytes, or the shape), types, gb_per_s,
/// gflop_per_s, algorithm, busy, replay.
Json ceiling_rows(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files);

/// What keeps an arm from being faster, as far as the roof tells: `share` of the measured read bandwidth.
std::string bound_in_words(std::optional<double> share, double bytes, double seconds);

}  // namespace detbench::analysis
