// The rows that each chart draws: data apart from looks (DESIGN section 7). One flat object per mark; numbers carry
// their unit in the key; null where nothing is known. Every function is pure: the same views give the same rows.
#pragma once

#include "bench/analysis/comparison_view.hpp"
#include "bench/analysis/price.hpp"

namespace detbench::analysis {

inline constexpr double us = 1e6, ms = 1e3;  ///< of a second
/// Characters of a subtitle's line.
inline constexpr std::size_t subtitle_width = 112;

/// Arms of the problems where agreement costs most: at most `most_problems`, dearest first. One row per timed arm:
/// panel, group, label, algorithm, provider, claim, tier, slot, ratio, time_us, max_ulp, workspace_kib, frontier,
/// text_side, band_low, band_high, drawn_low, drawn_high (the band clipped to the marks), replay.
Json tradeoff_rows(const std::vector<ComparisonView>& views, std::size_t most_problems);
/// One row per problem and demand: group, label, rank, demand, lane, ratio, low, high, verdict, band_low, band_high, fastest,
/// chosen, fastest_us, chosen_us, note (why there is no ratio), replay.
Json price_rows(const std::vector<ComparisonView>& views);
/// One row per timed reduction or scatter-add arm: group, lane, rank, algorithm, provider, claim, size, gb_per_s,
/// roof_gb_per_s (measured read bandwidth), distinct, runs, shows ("no" where no order can show), error_ulp, relative_l2,
/// tier, time_us, replay. Of every group the `most_problems` largest problems, of the type and distribution that most have.
Json reduction_rows(const std::vector<ComparisonView>& views, std::size_t most_problems = 1000);
/// Whole networks, one panel per headline (train step or inference, network, size, types, execution), at most `most_panels`; one row per
/// timed policy: panel, panel_rank, policy, tier, tier_rank, slot (lane within the tier), ratio, low, high, drawn_low, drawn_high,
/// band_low, band_high (clipped to the marks), text, text_at, time_ms, verdict, frontier, bits, replay.
Json network_rows(const std::vector<ComparisonView>& views, std::size_t most_panels);
/// One row per policy: panel, policy, rank, step_ms, minimum_ms, ratio, low, high, images_per_s, reorder_share, note.
Json policy_rows(const std::vector<ComparisonView>& views);
/// One row per policy and scope: panel, policy, rank, scope, verdict, text.
Json policy_scope_rows(const std::vector<ComparisonView>& views);
/// One row per policy and kind of op: panel, policy, rank, op, op_ms, order.
Json policy_op_rows(const std::vector<ComparisonView>& views);
/// One row per op, algorithm and scope, over all problems: panel, algorithm, rank, scope, verdict (the worst), text
/// ("3/14": differs in 3 of 14 problems tested), broken, differing, tested, none_can_show (problems in which no order can show:
/// they do not count as tested).
Json verdict_rows(const std::vector<ComparisonView>& views);
/// One row per policy, layer and phase of the train steps: facet, policy, layer, rank, phase, extra_ms against the
/// policy `fastest` (or the first one), at most `most_layers` layers, dearest first.
Json layer_rows(const std::vector<ComparisonView>& views, std::size_t most_layers);

/// Words for a chart: "no claim", "claims run_to_run", "claims gpu_to_gpu", "claim broken".
std::string claim_word(const Record& record);
/// "no difference in 10 runs", "differs: 4 distinct in 10 runs", "untested", ...
std::string scope_words(const ScopeResult& result);
/// The same for a row; where no order can show, no cell may read like a result: "no difference seen, and none can show: ...".
std::string scope_words(const Record& record, const ScopeResult& result);
/// "network:fastest@steps=3" -> "fastest"; options other than the number of steps stay.
std::string policy_name(const ArmView& arm);
bool is_train_step(const ComparisonView& view);
bool is_network(const ComparisonView& view);  ///< a train step, or the inference of a whole network
bool is_reduction(const ComparisonView& view);

}  // namespace detbench::analysis
