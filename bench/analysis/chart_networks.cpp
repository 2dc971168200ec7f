// Rows of the chart that shows whole networks: what each policy costs against what its bits were seen to do.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/headlines.hpp"

namespace detbench::analysis {
namespace {

/// Where a tier stands on the axis, best first.
int rank_of(Tier tier) { return static_cast<int>(std::find(all_tiers.begin(), all_tiers.end(), tier) - all_tiers.begin()); }

}  // namespace

Json network_rows(const std::vector<ComparisonView>& views, std::size_t most_panels) {
  Json rows = Json::array();
  std::size_t panel_rank = 0;
  for (const auto& headline : make_headlines(views)) {
    const auto& view = *headline.view;
    if (!headline.fastest) continue;
    if (panel_rank == most_panels) break;
    double least = 1, most = 1;
    for (const auto& arm : view.arms)
      if (arm.timed()) least = std::min(least, *arm.relative), most = std::max(most, *arm.relative);
    // Few blocks give intervals that would leave the marks a sliver of the axis.
    const auto drawn = [&](double ratio) { return std::clamp(ratio, least / 1.5, most * 1.5); };
    const auto band = view.symmetric_band();
    std::map<Tier, int> seen;
    for (const auto& cost : headline.costs) {
      const auto& arm = *cost.arm;
      if (!arm.timed()) continue;
      const auto part = headline.precision + (headline.setting.empty() ? "" : ", " + headline.setting);
      rows.push_back({{"panel", (view.tag.empty() ? "" : view.tag + "  ") + headline.phase + " of " + headline.network + ", " + part + "\n" + headline.size},
                      {"panel_rank", panel_rank},
                      {"policy", cost.policy},
                      {"tier", to_text(arm.tier)},
                      {"tier_rank", rank_of(arm.tier)},
                      {"slot", seen[arm.tier]++},
                      {"ratio", *arm.relative},
                      {"low", cost.to_fastest ? Json(cost.to_fastest->low) : Json()},
                      {"high", cost.to_fastest ? Json(cost.to_fastest->high) : Json()},
                      {"drawn_low", cost.to_fastest ? Json(drawn(cost.to_fastest->low)) : Json()},
                      {"drawn_high", cost.to_fastest ? Json(drawn(cost.to_fastest->high)) : Json()},
                      {"text_at", cost.to_fastest ? drawn(cost.to_fastest->high) : *arm.relative},
                      {"text", fmt::format("{}, {:.3g}x", cost.policy, *arm.relative)},
                      {"time_ms", arm.time->median_s * ms},
                      {"verdict", cost.verdict_to_fastest},
                      {"frontier", arm.frontier_agreement},
                      {"bits", cost.bits},
                      {"band_low", band ? Json(drawn(band->low)) : Json()},
                      {"band_high", band ? Json(drawn(band->high)) : Json()},
                      {"replay", arm.record->replay}});
    }
    ++panel_rank;
  }
  return rows;
}

}  // namespace detbench::analysis
