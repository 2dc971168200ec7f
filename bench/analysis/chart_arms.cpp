// Rows of the charts that show single ops: tradeoff, price, reductions.
#include <algorithm>
#include <cmath>
#include <map>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/reduction_view.hpp"
#include "bench/records/field_writer.hpp"

namespace detbench::analysis {
namespace {

/// Arms of one tier are spread over lanes, the middle one first, so that equal times do not cover each other.
constexpr int lanes[] = {0, -1, 1, -2, 2};

using records::write::finite_or_null;

std::optional<double> error_ulp(const Record& record) {
  return record.verification ? std::optional<double>(static_cast<double>(record.verification->max_ulp)) : std::nullopt;
}

/// Most distinct digests that any sampling scope saw, and the runs behind it.
std::pair<std::uint32_t, std::uint32_t> sampled_distinct(const Record& record) {
  std::uint32_t distinct = 0, runs = 0;
  for (const auto& scope : record.agreement) {
    if (!is_sampling(scope.scope) || scope.runs == 0) continue;
    distinct = std::max(distinct, scope.distinct);
    runs += scope.runs;
  }
  return {distinct, runs};
}

/// Timed comparisons with more than one arm, those whose agreement costs most first: they are worth a panel.
std::vector<const ComparisonView*> worth_a_panel(const std::vector<ComparisonView>& views, std::size_t most) {
  std::vector<std::pair<double, const ComparisonView*>> ranked;
  for (const auto& view : views) {
    const auto timed = std::count_if(view.arms.begin(), view.arms.end(), [](const ArmView& a) { return a.timed(); });
    if (is_train_step(view) || is_machine_rate(view) || timed < 2) continue;
    const auto price = price_of(view, Demand::partition);
    // A problem without any agreeing arm is the dearest of all.
    ranked.emplace_back(price.ratio ? *price.ratio : price.untested ? 0.0 : 1e9, &view);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<const ComparisonView*> chosen;
  for (const auto& [ratio, view] : ranked)
    if (chosen.size() < most) chosen.push_back(view);
  return chosen;
}

/// A band as it is drawn: on a noisy machine it would otherwise leave the marks a sliver of the axis.
std::optional<Interval> drawn_band(const ComparisonView& view, double widest) {
  auto band = view.symmetric_band();
  if (!band) return band;
  const double most = 1.5 * std::max(widest, 1.0);
  return Interval{std::max(band->low, 1 / most), 1, std::min(band->high, most)};
}

}  // namespace

Json tradeoff_rows(const std::vector<ComparisonView>& views, std::size_t most_problems) {
  Json rows = Json::array();
  int panel_rank = 0;
  for (const auto* view : worth_a_panel(views, most_problems)) {
    double widest = 1;
    for (const auto& arm : view->arms)
      if (arm.timed()) widest = std::max({widest, *arm.relative, 1 / *arm.relative});
    std::map<Tier, int> seen;
    const auto band = view->symmetric_band(), drawn = drawn_band(*view, widest);
    for (const auto& arm : view->arms) {
      if (!arm.timed()) continue;
      const double ratio = *arm.relative;
      rows.push_back(
          {{"panel", view->group() + "  " + view->label},
           {"panel_rank", panel_rank},
           {"algorithm", arm.algorithm},
           {"provider", arm.provider},
           {"claim", claim_word(*arm.record)},
           {"tier", to_text(arm.tier)},
           {"slot", lanes[seen[arm.tier]++ % 5]},
           {"ratio", ratio},
           {"time_us", arm.time->median_s * us},
           {"max_ulp", finite_or_null(error_ulp(*arm.record))},
           {"workspace_kib",
            arm.record->workspace_bytes ? Json(static_cast<double>(*arm.record->workspace_bytes) / 1024) : Json()},
           {"frontier", arm.frontier_agreement},
           {"text_side", std::log(ratio) > 0.55 * std::log(widest) && ratio > 1 ? "left" : "right"},
           {"timing", view->busy   ? "ambiguous: busy machine"
                      : arm.slow() ? "slow: one timing"
                                   : std::string(to_text(arm.verdict))},
           {"band_low", finite_or_null(band ? std::optional(band->low) : std::nullopt)},
           {"band_high", finite_or_null(band ? std::optional(band->high) : std::nullopt)},
           {"drawn_low", finite_or_null(drawn ? std::optional(drawn->low) : std::nullopt)},
           {"drawn_high", finite_or_null(drawn ? std::optional(drawn->high) : std::nullopt)},
           {"replay", arm.record->replay}});
    }
    ++panel_rank;
  }
  return rows;
}

constexpr std::size_t most_priced_problems = 40;

Json price_rows(const std::vector<ComparisonView>& views) {
  struct Entry {
    const ComparisonView* view;
    Price strict, loose;
    double sort;
  };
  std::vector<Entry> entries;
  for (const auto& view : views) {
    if (is_train_step(view) || is_machine_rate(view)) continue;
    Entry e{&view, price_of(view, Demand::partition), price_of(view, Demand::run_to_run), 0};
    if (e.strict.why_not == "nothing was timed" && e.loose.why_not == "nothing was timed") continue;
    e.sort = e.strict.ratio.value_or(e.strict.untested ? 0 : 1e9);
    entries.push_back(e);
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.sort > b.sort; });
  // A sweep has hundreds of problems and most cost nothing; the dearest fit on a page, the tables have all.
  if (entries.size() > most_priced_problems) entries.resize(most_priced_problems);
  double widest = 1.2;
  for (const auto& e : entries)
    for (const auto* price : {&e.loose, &e.strict})
      if (price->interval) widest = std::max({widest, price->interval->high, 1 / price->interval->low});
  Json rows = Json::array();
  int rank = 0;
  for (const auto& e : entries) {
    const auto band = e.view->symmetric_band(), drawn = drawn_band(*e.view, widest);
    for (const auto* price : {&e.loose, &e.strict}) {
      const auto* chosen = price->chosen;
      rows.push_back({{"group", e.view->group()},
                      {"label", e.view->label},
                      {"rank", rank},
                      {"demand", to_text(price->demand)},
                      {"lane", price == &e.loose ? -1 : 1},
                      {"ratio", finite_or_null(price->ratio)},
                      {"low", price->interval ? Json(price->interval->low) : Json()},
                      {"high", price->interval ? Json(price->interval->high) : Json()},
                      {"verdict", e.view->busy ? "ambiguous: busy machine" : std::string(to_text(price->verdict))},
                      {"band_low", finite_or_null(band ? std::optional(band->low) : std::nullopt)},
                      {"band_high", finite_or_null(band ? std::optional(band->high) : std::nullopt)},
                      {"drawn_low", finite_or_null(drawn ? std::optional(drawn->low) : std::nullopt)},
                      {"drawn_high", finite_or_null(drawn ? std::optional(drawn->high) : std::nullopt)},
                      {"fastest", price->fastest ? price->fastest->algorithm : ""},
                      {"chosen", chosen ? chosen->algorithm : ""},
                      {"fastest_us", price->fastest ? Json(price->fastest->time->median_s * us) : Json()},
                      {"chosen_us", chosen ? Json(chosen->time->median_s * us) : Json()},
                      {"note", price->why_not},
                      {"replay", chosen ? chosen->record->replay : ""}});
    }
    ++rank;
  }
  return rows;
}

namespace {

/// The largest problems of every group, in the order of the views. First come those that differ in size alone: other
/// types and distributions have the chart of the three prices.
std::vector<const ComparisonView*> largest_of_each_group(const std::vector<ComparisonView>& views, std::size_t most) {
  std::map<std::string, std::vector<const ComparisonView*>> groups;
  for (const auto& view : views) {
    const bool timed = std::any_of(view.arms.begin(), view.arms.end(), [](const ArmView& arm) { return arm.timed(); });
    if (is_reduction(view) && view.info && view.info->bytes && timed) groups[view.group()].push_back(&view);
  }
  std::vector<const ComparisonView*> chosen;
  for (auto& [name, all] : groups) {
    const auto kind_of = [](const ComparisonView* v) {
      const auto problem = reduction_problem(*v);
      return problem.types + " " + problem.distribution;
    };
    const auto usual = kind_of(all.front());
    std::stable_sort(all.begin(), all.end(), [&](const auto* a, const auto* b) {
      const bool ua = kind_of(a) == usual, ub = kind_of(b) == usual;
      return ua != ub ? ua : *a->info->bytes > *b->info->bytes;
    });
    if (all.size() > most) all.resize(most);
    chosen.insert(chosen.end(), all.begin(), all.end());
  }
  std::sort(chosen.begin(), chosen.end());  // as they stand in `views`
  return chosen;
}

}  // namespace

Json reduction_rows(const std::vector<ComparisonView>& views, std::size_t most_problems) {
  Json rows = Json::array();
  std::map<std::string, std::map<std::string, double>> best;  // group, algorithm: best GB/s, for the order of rows
  std::map<std::string, std::vector<std::string>> problems;   // group: sizes, a lane for each
  const ResultFile* file = nullptr;
  std::vector<Ceiling> ceilings;
  for (const auto* each : largest_of_each_group(views, most_problems)) {
    const auto& view = *each;
    if (view.file != file) ceilings = measured_ceilings(views, *(file = view.file));
    const auto* roof = nearest_ceiling(ceilings, "memory_read", *view.info->bytes);
    problems[view.group()].push_back(view.label);
    for (const auto& arm : view.arms) {
      if (!arm.timed()) continue;
      const double rate = *view.info->bytes / arm.time->median_s / 1e9;
      const auto [distinct, runs] = sampled_distinct(*arm.record);
      const auto& check = arm.record->verification;
      const auto error = error_of(*arm.record);
      rows.push_back({{"group", view.group()},
                      {"algorithm", arm.algorithm},
                      {"provider", arm.provider},
                      {"claim", claim_word(*arm.record)},
                      {"size", view.label},
                      {"gb_per_s", rate},
                      {"roof_gb_per_s", roof ? Json(roof->gb_per_s) : Json()},
                      {"shows", cannot_show(*arm.record).empty() ? "yes" : "no"},
                      {"distinct", distinct == 0 ? Json() : Json(distinct)},
                      {"runs", runs},
                      {"error_ulp", finite_or_null(error ? std::optional(error->value) : std::nullopt)},
                      {"relative_l2", finite_or_null(check ? std::optional(check->relative_l2) : std::nullopt)},
                      {"tier", to_text(arm.tier)},
                      {"time_us", arm.time->median_s * us},
                      {"replay", arm.record->replay}});
      auto& mine = best[view.group()][arm.algorithm];
      mine = std::max(mine, rate);
    }
  }
  for (auto& row : rows) {
    const auto& group = best[row["group"].get<std::string>()];
    const double mine = group.at(row["algorithm"].get<std::string>());
    const auto& sizes = problems[row["group"].get<std::string>()];
    const auto size = std::find(sizes.begin(), sizes.end(), row["size"].get<std::string>()) - sizes.begin();
    row["lane"] = (static_cast<double>(size) + 0.5) / static_cast<double>(sizes.size()) - 0.5;
    row["rank"] = std::count_if(group.begin(), group.end(), [&](const auto& other) { return other.second > mine; });
  }
  return rows;
}

}  // namespace detbench::analysis
