// The rows of the roofline chart, and what they say in words.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/analysis/roofline.hpp"

namespace detbench::analysis {
namespace {

/// One panel of the chart: problems of a kind and type that stand under the same roofs.
struct RooflinePanel {
  std::string name;
  Json rows = Json::array();
  std::size_t problems = 0;
  const ComparisonView* view = nullptr;  ///< any of them
  std::string types;
  double lowest = HUGE_VAL, highest = 0;  ///< operations per byte
};

/// "conv_fwd f32_f32_strict": directions of a convolution apart; of the rest whole suites, and a matrix product is one
/// wherever it comes from.
std::string roofline_kind(const ComparisonView& view, const std::string& types) {
  const bool alone = view.suite == "convolution" || view.op == "matmul" || view.suite.empty();
  return (alone ? view.op : view.suite) + " " + types.substr(0, types.find("_dw"));
}
std::string roofline_panel(const ComparisonView& view, const std::string& types) { return roofline_kind(view, types) + (view.tag.empty() ? "" : " · " + view.tag); }

bool has_role(const Json& row, const std::string& role) {
  return (", " + row["role"].get<std::string>() + ",").find(", " + role + ",") != std::string::npos;
}

double median_share(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

/// What one role of a panel reached: "fastest: median 0.61 of the roof, best 0.82 (onednn:brg:avx512_core)". Marks its best arm.
std::optional<std::string> reached(Json& rows, const char* role) {
  Json* best = nullptr;
  std::vector<double> shares;
  const auto height = [](const Json& row) { return (row["share"].is_null() ? row["gflop_per_s"] : row["share"]).get<double>(); };
  for (auto& row : rows) {
    if (row["kind"] != "arm" || !has_role(row, role)) continue;
    if (!row["share"].is_null()) shares.push_back(row["share"]);
    if (!best || height(row) > height(*best)) best = &row;
  }
  if (!best) return std::nullopt;
  (*best)["best"] = true;
  const auto algorithm = (*best)["algorithm"].get<std::string>();
  if (shares.empty()) return fmt::format("{}: at most {:.3g} GFLOP/s ({})", role, height(*best), algorithm);
  return fmt::format("{}: median {:.2g} of the roof, best {:.2g} ({})", role, median_share(shares), height(*best), algorithm);
}

void add_notes(Json& rows) {
  int line = 0;
  std::vector<Json> notes;
  for (const char* role : {"fixed order", "fastest"})
    if (const auto text = reached(rows, role)) notes.push_back({{"kind", "note"}, {"name", *text}, {"line", line++}});
  for (auto& note : notes) rows.push_back(std::move(note));
}

/// Two points of a line and its name: "slope" stands below it, "above" and "below" at its right end.
void add_roof(Json& rows, const std::string& name, const char* place, double x_low, double y_low, double x_high, double y_high) {
  for (const auto& [x, y] : {std::pair{x_low, y_low}, {x_high, y_high}})
    rows.push_back({{"kind", "roof"}, {"roof", name}, {"flop_per_byte", x}, {"gflop_per_s", y}});
  const bool slope = std::string_view(place) == "slope";
  // Marks crowd at the upper end of the slope.
  const auto quarter = [](double from, double until) { return from * std::pow(until / from, 0.25); };
  rows.push_back({{"kind", "roof_name"}, {"name", name}, {"place", place}, {"flop_per_byte", slope ? quarter(x_low, x_high) : x_high},
                  {"gflop_per_s", slope ? quarter(y_low, y_high) : y_high}});
}

/// The lines of one panel from `low` to `high` operations per byte.
void add_roofs(Json& rows, const RooflinePanel& panel, const std::vector<ComparisonView>& views, double low, double high) {
  const auto& file = *panel.view->file;
  const auto memory = measured_ceilings(views, file);
  const auto arithmetic = arithmetic_ceilings(views, file);
  // The largest buffer is memory, smaller ones may be caches.
  const Ceiling* read = nullptr;
  for (const auto& ceiling : memory)
    if (ceiling.op == "memory_read" && (!read || ceiling.buffer_bytes > read->buffer_bytes)) read = &ceiling;
  const auto* products = product_ceiling(arithmetic, panel.types);
  const auto* fma = fma_ceiling(arithmetic);
  std::vector<std::pair<const ArithmeticCeiling*, const char*>> levels;
  if (products) levels.emplace_back(products, "products");
  if (fma) levels.emplace_back(fma, "f32 fma");
  std::stable_sort(levels.begin(), levels.end(), [](const auto& a, const auto& b) { return a.first->gflop_per_s > b.first->gflop_per_s; });
  const auto busy = [](const auto& ceiling) { return ceiling.view->busy ? ", busy machine" : ""; };
  if (read) {
    const double until = levels.empty() ? high : std::min(high, levels.front().first->gflop_per_s / read->gb_per_s);
    if (until > low)
      add_roof(rows, fmt::format("read {:.4g} GB/s{}", read->gb_per_s, busy(*read)), "slope", low, low * read->gb_per_s, until, until * read->gb_per_s);
  }
  for (const auto& [ceiling, what] : levels) {
    const double from = read ? std::max(low, ceiling->gflop_per_s / read->gb_per_s) : low;
    if (from < high)
      add_roof(rows, fmt::format("{} {:.4g} GFLOP/s{}", what, ceiling->gflop_per_s, busy(*ceiling)), ceiling == levels.front().first ? "above" : "below", from,
               ceiling->gflop_per_s, high, ceiling->gflop_per_s);
  }
}

}  // namespace

Json roofline_chart_rows(const std::vector<ComparisonView>& views, std::size_t most_panels) {
  std::vector<RooflinePanel> panels;
  for (const auto& problem : roofline_problems(views)) {
    const auto name = roofline_panel(*problem.view, problem.types);
    Json rows = Json::array();
    double low = HUGE_VAL, high = 0;
    for (const auto& row : problem.rows) {
      if (row["role"] == "") continue;
      low = std::min(low, row["gflop_per_s"].get<double>()), high = std::max(high, row["gflop_per_s"].get<double>());
      rows.push_back(row);
      rows.back()["kind"] = "arm";
      rows.back()["best"] = false;
    }
    if (rows.empty()) continue;
    const double flop_per_byte = rows[0]["flop_per_byte"];
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const RooflinePanel& p) { return p.name == name; });
    if (panel == panels.end()) {
      panel = panels.emplace(panels.end());
      panel->name = name;
    }
    panel->rows.push_back({{"kind", "span"}, {"flop_per_byte", flop_per_byte}, {"low", low}, {"high", high}, {"gflop_per_s", low}});
    for (auto& row : rows) panel->rows.push_back(std::move(row));
    ++panel->problems;
    panel->view = problem.view;
    panel->types = problem.types;
    panel->lowest = std::min(panel->lowest, flop_per_byte), panel->highest = std::max(panel->highest, flop_per_byte);
  }
  std::vector<std::size_t> kept(panels.size());
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = i;
  std::stable_sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) { return panels[a].problems > panels[b].problems; });
  if (kept.size() > most_panels) kept.resize(most_panels);
  std::sort(kept.begin(), kept.end());
  double low = HUGE_VAL, high = 0;
  for (const auto at : kept) low = std::min(low, panels[at].lowest), high = std::max(high, panels[at].highest);
  low /= 2, high *= 2;
  Json all = Json::array();
  int rank = 0;
  for (const auto at : kept) {
    auto& panel = panels[at];
    add_notes(panel.rows);
    add_roofs(panel.rows, panel, views, low, high);
    for (auto& row : panel.rows) {
      row["panel"] = panel.name;
      row["panel_rank"] = rank;
      all.push_back(std::move(row));
    }
    ++rank;
  }
  return all;
}

std::string roofline_sentence(const std::vector<ComparisonView>& views, const ResultFile& file) {
  struct Shares {
    std::vector<double> fastest, fixed;
  };
  std::vector<std::pair<std::string, Shares>> panels;
  for (const auto& problem : roofline_problems(views)) {
    if (problem.view->file != &file) continue;
    std::optional<double> fastest, fixed;
    for (const auto& row : problem.rows) {
      if (row["share"].is_null()) continue;
      if (has_role(row, "fastest")) fastest = row["share"].get<double>();
      if (has_role(row, "fixed order")) fixed = row["share"].get<double>();
    }
    if (!fastest || !fixed) continue;
    const auto name = roofline_kind(*problem.view, problem.types);
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const auto& p) { return p.first == name; });
    if (panel == panels.end()) panel = panels.insert(panels.end(), {name, {}});
    panel->second.fastest.push_back(*fastest);
    panel->second.fixed.push_back(*fixed);
  }
  if (panels.empty()) return "";
  std::string text;
  for (const auto& [name, shares] : panels)
    text += fmt::format("{}{} {:.2g} and {:.2g} ({} {})", text.empty() ? "" : "; ", name, median_share(shares.fastest), median_share(shares.fixed), shares.fixed.size(),
                        shares.fixed.size() == 1 ? "problem" : "problems");
  return "Of the roof, median of the fastest arms and of those in fixed order: " + text + ".";
}

}  // namespace detbench::analysis
