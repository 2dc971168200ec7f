// Reductions against the roof: GB/s, share of the read bandwidth that was measured in the same run, distance to the
// fastest unordered arm.
#include <fmt/format.h>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/reduction_rows.hpp"
#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {

/// A reader that moves this much of the measured bandwidth is limited by it, as far as two measurements can say.
constexpr double above_the_roof = 1.1, at_the_roof = 0.9, near_the_roof = 0.7;

std::string note(const Record& record, const char* key) {
  const auto found = record.notes.find(key);
  return found == record.notes.end() ? "" : found->second;
}

}  // namespace

std::string bound_in_words(std::optional<double> share, double bytes, double seconds) {
  if (!share) return "unknown: no memory_read was measured in this run";
  if (*share > above_the_roof) return "caches: the read bandwidth is that of a larger buffer, or of a busier moment";
  if (*share >= at_the_roof) return "memory bandwidth";
  const auto least_us = bytes > 0 ? *share * seconds * us : 0;
  if (*share >= near_the_roof) return fmt::format("nearly memory bandwidth: reading alone takes {:.4g} us", least_us);
  return fmt::format("arithmetic, latency or waiting: reading alone takes {:.4g} us of {:.4g}", least_us, seconds * us);
}

Json reduction_speed_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  const ResultFile* file = nullptr;
  std::vector<Ceiling> ceilings;
  for (const auto& view : views) {
    if (view.file != file) ceilings = measured_ceilings(views, *(file = view.file));
    if (!is_reduction(view) || !view.info || !view.info->bytes) continue;
    const double bytes = *view.info->bytes;
    const auto* roof = nearest_ceiling(ceilings, "memory_read", bytes);
    const auto* unordered = fastest_of(view, [](const ArmView& arm) { return order_kind(arm) == OrderKind::unordered; });
    for (const auto& arm : view.arms) {
      if (!arm.timed()) continue;
      const double rate = bytes / arm.time->median_s / 1e9;
      const auto share = roof ? std::optional(rate / roof->gb_per_s) : std::nullopt;
      const TimeRatio ratio = unordered ? time_ratio(view, *unordered, arm) : TimeRatio{};
      const auto lowering = note(*arm.record, "atomic_lowering");
      const auto error = error_of(*arm.record);
      rows.push_back({{"group", view.group()},
                      {"label", view.label},
                      {"algorithm", arm.algorithm},
                      {"order", to_text(order_kind(arm))},
                      {"claim", claim_word(*arm.record)},
                      {"observed", to_text(arm.tier)},
                      {"lowering", lowering},
                      {"time_us", arm.time->median_s * us},
                      {"gb_per_s", rate},
                      {"roof_gb_per_s", roof ? Json(roof->gb_per_s) : Json()},
                      {"roof", roof ? Json(roof->algorithm + ", " + bytes_in_words(roof->buffer_bytes)) : Json()},
                      {"share", share ? Json(*share) : Json()},
                      {"unordered", unordered ? unordered->algorithm : ""},
                      {"to_unordered", unordered ? Json(ratio.middle) : Json()},
                      {"low", ratio.interval ? Json(ratio.interval->low) : Json()},
                      {"high", ratio.interval ? Json(ratio.interval->high) : Json()},
                      {"error_ulp", error ? Json(error->value) : Json()},
                      {"bound", bound_in_words(share, bytes, arm.time->median_s)},
                      {"replay", arm.record->replay}});
    }
  }
  return rows;
}

Json worst_case_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  for (const auto& view : views)
    for (const auto& arm : view.arms) {
      const auto why = cannot_show(*arm.record);
      if (why.empty() || arm.record->agreement.empty()) continue;
      rows.push_back({{"group", view.group()},
                      {"label", view.label},
                      {"algorithm", arm.algorithm},
                      {"order", to_text(order_kind(arm))},
                      {"contention", note(*arm.record, "contention")},
                      {"seen", to_text(arm.tier)},
                      {"why", why},
                      {"replay", arm.record->replay}});
    }
  return rows;
}

Json ceiling_rows(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto add = [&](const auto& ceiling, const std::string& size, Json gb_per_s, Json gflop_per_s) {
      const auto problem = parse_problem_id(ceiling.view->problem);
      rows.push_back({{"file", file_tag(i, files.size())},
                      {"op", ceiling.op},
                      {"buffer", size},
                      {"types", problem ? problem->types : ""},
                      {"gb_per_s", std::move(gb_per_s)},
                      {"gflop_per_s", std::move(gflop_per_s)},
                      {"algorithm", ceiling.algorithm},
                      {"busy", ceiling.view->busy ? "ambiguous: busy machine" : ""},
                      {"replay", ceiling.view->arms[*ceiling.view->fastest].record->replay}});
    };
    for (const auto& ceiling : measured_ceilings(views, files[i])) add(ceiling, bytes_in_words(ceiling.buffer_bytes), ceiling.gb_per_s, nullptr);
    for (const auto& ceiling : arithmetic_ceilings(views, files[i])) add(ceiling, ceiling.size, nullptr, ceiling.gflop_per_s);
  }
  return rows;
}

}  // namespace detbench::analysis
