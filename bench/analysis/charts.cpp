#include "bench/analysis/charts.hpp"

#include <fmt/format.h>

#include "bench/analysis/ablation_rows.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/divergence_rows.hpp"
#include "bench/analysis/embedded_files.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/reduction_rows.hpp"
#include "bench/analysis/roofline.hpp"
#include "bench/records/json_text.hpp"

namespace detbench::analysis {
namespace {

constexpr std::size_t frontier_panels = 12;
constexpr std::size_t price_panels = 12;
constexpr std::size_t network_panels = 12;
constexpr std::size_t roofline_panels = 12;
constexpr std::size_t sizes_shown = 4;
constexpr std::size_t layers_shown = 30;

Result<Json> embedded_json(std::string_view name) {
  for (const auto& file : embedded_files())
    if (file.name == name) return parse_json(file.text, std::string(name));
  return failure("this build holds no " + std::string(name) + "; build it again from a whole source tree");
}

/// What a chart needs beyond its specification.
struct Source {
  const char* name;
  const char* caption;
  const char* no_data;               ///< why there can be nothing to draw
  Json datasets;                     ///< name -> rows
  std::vector<std::string> remarks;  ///< subtitle lines before the provenance
};

std::vector<Source> sources(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views) {
  std::vector<Source> list;
  list.push_back(
      {"tradeoff_frontier",
       "Each panel is one problem, each point an algorithm. Left is faster, up agrees more. The bright points form the "
       "frontier: nothing "
       "else is both faster and at least as agreeing. The grey band is the A/A band, the spread of one algorithm "
       "measured twice: "
       "differences inside it are noise.",
       "no problem had two timed arms",
       {{"rows", tradeoff_rows(views, frontier_panels)}},
       {fmt::format("At most {} problems, those where agreement costs most (the tables have all); grey: A/A band",
                    frontier_panels)}});
  list.push_back(
      {"cost_of_thread_invariance",
       "For each problem: how much longer the fastest arm takes that showed no difference under the demand, compared "
       "with the fastest arm of "
       "all. 1x is free. Lines are 95 % intervals over the reporting half of the blocks; grey is the A/A band of that "
       "very comparison. Text "
       "instead of a point: no arm met the demand, and why.",
       "no problem was timed",
       {{"rows", price_rows(views)}},
       {"At most 40 problems, those where agreement costs most (the tables have all)",
        "Arms: picked by one half of the blocks, published from the other; line: 95 % interval; grey: A/A band"}});
  list.push_back({"reductions",
                  "Throughput, distinct results seen in the sampling scopes, and the largest error against the exact sum, side "
                  "by side for each algorithm. A grey stroke is the read bandwidth that this machine's memory gave in the same run. "
                  "Pale marks: no order of additions could have shown there, so one distinct result says nothing.",
                  "no reduction or scatter-add was timed",
                  {{"rows", reduction_rows(views, sizes_shown)}},
                  {fmt::format("At most {} problems of an op, the largest; throughput: every input read once, every output written once", sizes_shown),
                   "Distinct results: over repeat, process and load; grey stroke: read bandwidth of the same run, nearest size"}});
  list.push_back({"three_prices",
                  "Each panel is one problem, each mark an algorithm: left is faster, low is more accurate, colour and shape say what its bits do and "
                  "what is claimed of them. A vertical line spans the errors of several runs of the same algorithm. At most 0.5 ULP is a correctly "
                  "rounded sum.",
                  "no reduction with an error was timed",
                  {{"rows", three_price_rows(views, price_panels)}},
                  {fmt::format("Of each op, type and distribution the largest problem, at most {}; names where there is room, all in the tables", price_panels),
                   "Error: against the exact sum of the same inputs, in ULP of the output's type, largest over the outputs"}});
  list.push_back({"contention",
                  "How much longer the fastest scatter-add in fixed order (or independent of order) takes than the fastest atomic one, against how many updates meet in a bin. "
                  "Below 1x order is the faster way. Hollow crosses: layouts in which no order of additions can show, so that atomics give the same bits "
                  "every time without being repeatable.",
                  "no scatter-add was timed with atomics and in order",
                  {{"rows", contention_rows(views)}},
                  {"Both arms picked by one half of the blocks, ratios from the other, vertical line: 95 % interval",
                   "Hollow cross: no difference seen in the atomic arm, and none can show (too few updates meet)"}});
  std::vector<std::string> roof_remarks{
      fmt::format("Published arms: fastest, fastest without a difference, fixed order; at most {} kinds of problems, those with most; a ring: the highest share of the roof", roofline_panels),
      "Operations of the plain sum, inputs read once and outputs written once; lines: the largest memory_read, the fastest square product, fma_rate of the same run"};
  for (auto& line : roofless(files, views)) roof_remarks.push_back(std::move(line));
  list.push_back({"roofline",
                  "How fast the published arms of each problem are, against how many operations a problem has for each byte that has to move. Nothing "
                  "is faster than the lines, which this run measured: sloping, what memory lets through; level, what its arithmetic does. Marks above "
                  "the slope found their data in caches; above the level, they need fewer operations than were counted. A grey stroke joins the arms "
                  "of one problem: its length is what order costs there.",
                  "no problem that counts its operations was timed",
                  {{"rows", roofline_chart_rows(views, roofline_panels)}},
                  roof_remarks});
  list.push_back({"network_tradeoff",
                  "Each panel is a whole network in one way of running it, each point a policy: left is faster, up agrees more. Horizontal lines are 95 % "
                  "intervals of the ratio to the fastest policy, clipped to the panel; the grey band is the A/A band: differences inside it are noise.",
                  "no train step and no inference was measured",
                  {{"rows", network_rows(views, network_panels)}},
                  {fmt::format("At most {} panels, in the order of the files (headlines.md has all); line: 95 % interval; grey: A/A band", network_panels)}});
  list.push_back({"train_step_policies",
                  "One row per policy. Left: time of the whole step. Middle: did the trained state differ when the "
                  "named thing was varied (n = runs or "
                  "configurations without a difference). Right: where the time of one observed step goes.",
                  "no train step was measured",
                  {{"rows", policy_rows(views)}, {"scopes", policy_scope_rows(views)}, {"ops", policy_op_rows(views)}},
                  {"Times from the reporting half of the blocks, of which a step has three times the profile's; n: runs or configurations without a difference"}});
  list.push_back({"divergence_growth",
                  "Two train steps from the same weights, side by side. Above: in which step and at which op their bits part. Below: how the "
                  "difference of the weights then grows; pairs that stay equal have no curve.",
                  "no train steps were compared",
                  {{"rows", divergence_rows(files)}, {"words", divergence_word_rows(files)}},
                  {"Up to the step at which they part every op is digested and waited for: what only overlapping ops show may part later here"}});
  list.push_back({"randomness_ablation",
                  "One source of randomness is let go, all others are fixed. Left: how far the weights of two trainings lie apart (the text: distinct results). "
                  "Then the share of validation images that two trainings classify differently, the accuracies, and the losses; each point is a training.",
                  "no ablation was measured",
                  {{"rows", ablation_rows(files)}, {"replicas", ablation_replica_rows(files)}},
                  {"Seeded sources: another seed per training. Kernels: the library's own in place of fixed order, on a CPU for 1, 2, ... threads by turns, up to its cores"}});
  list.push_back(
      {"layer_cost",
       "How much longer each layer takes in a step under the policy of the column than under the policy fastest.",
       "no train step was measured under two policies",
       {{"rows", layer_rows(views, layers_shown)}},
       {fmt::format(
           "Extra time against the policy fastest as its observer saw it; at most {} layers, those that differ most",
           layers_shown)}});
  list.push_back(
      {"verdict_matrix",
       "One row per algorithm, one column per thing that was varied. The number says in how many of the tested "
       "problems the bits differed; "
       "the colour is the worst observation. A black outline marks a vendor's claim that was broken.",
       "no agreement was probed",
       {{"rows", verdict_rows(views)}},
       {"a/b: bits differed in a of b problems tested; black outline: a claim that covers the scope was broken", "none can show: no difference was seen, in problems where no order of additions could make one"}});
  return list;
}

bool has_rows(const Json& datasets) {
  for (const auto& [name, rows] : datasets.items())
    if (!rows.empty()) return true;
  return false;
}

/// The chart that says why there is no chart.
Json empty_chart(const Json& title, const std::string& why) {
  return {{"$schema", "https://vega.github.io/schema/vega-lite/v6.json"},
          {"title", title},
          {"width", 720},
          {"height", 60},
          {"view", {{"stroke", "#cccccc"}}},
          {"data", {{"values", Json::array({{{"text", "No data: " + why}}})}}},
          {"mark", {{"type", "text"}, {"fontSize", 14}, {"color", "#555555"}}},
          {"encoding", {{"text", {{"field", "text"}, {"type", "nominal"}}}}}};
}

}  // namespace

Result<std::vector<Chart>> make_charts(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views) {
  const auto theme = embedded_json("theme.json");
  if (!theme) return tl::unexpected(theme.error());
  const auto provenance = provenance_lines(files);
  std::vector<Chart> charts;
  for (auto& source : sources(files, views)) {
    auto spec = embedded_json(std::string(source.name) + ".vl.json");
    if (!spec) return tl::unexpected(spec.error());
    Chart chart{source.name, source.caption, has_rows(source.datasets), {}};
    Json subtitle = Json::array();
    for (const auto& remark : source.remarks)
      for (const auto& line : wrap(remark, subtitle_width)) subtitle.push_back(line);
    for (const auto& line : provenance) subtitle.push_back(line);
    (*spec)["title"]["subtitle"] = subtitle;
    if (chart.has_data)
      (*spec)["datasets"] = std::move(source.datasets);
    else
      *spec = empty_chart((*spec)["title"], source.no_data);
    (*spec)["config"] = *theme;
    chart.spec = std::move(*spec);
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace detbench::analysis
