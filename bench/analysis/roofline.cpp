#include "bench/analysis/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/price.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/reduction_view.hpp"
#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {

/// Shares at which a roof is called reached, as far as two measurements can say.
constexpr double above_the_roof = 1.1, at_the_roof = 0.9, near_the_roof = 0.7;

/// Whether the kernel is made of multiply-adds in f32 whatever is stored: ours are, and libraries' in strict f32.
bool multiplies_in_f32(const ArmView& arm, std::string_view types) {
  for (const char* ours : {"fixed_order", "order_independent", "cuda", "cuda_atomic", "openmp", "reference"})
    if (arm.provider == ours) return types.find("_f32_") != std::string_view::npos;
  return types == "f32_f32_strict";
}

/// The arms of a problem that a report names, by what they are.
class Published {
 public:
  explicit Published(const ComparisonView& view) {
    if (view.fastest) fastest_ = &view.arms[*view.fastest];
    for (const auto demand : {Demand::partition, Demand::run_to_run})
      if (!agreeing_) agreeing_ = price_of(view, demand).chosen;
    fixed_ = fastest_of(view, [](const ArmView& arm) { return order_kind(arm) == OrderKind::fixed_order; });
  }
  std::string role_of(const ArmView& arm) const {
    std::string role;
    for (const auto& [which, words] : {std::pair{fastest_, "fastest"}, {agreeing_, "fastest without a difference"}, {fixed_, "fixed order"}})
      if (which == &arm) role += (role.empty() ? "" : ", ") + std::string(words);
    return role;
  }

 private:
  const ArmView *fastest_ = nullptr, *agreeing_ = nullptr, *fixed_ = nullptr;
};

std::string in_words(const Ceiling& ceiling) {
  return fmt::format("{} {}, {:.4g} GB/s", ceiling.op, bytes_in_words(ceiling.buffer_bytes), ceiling.gb_per_s);
}
std::string in_words(const ArithmeticCeiling& ceiling) {
  return fmt::format("{} {} {}, {:.4g} GFLOP/s", ceiling.op, ceiling.size, ceiling.types, ceiling.gflop_per_s);
}

/// What binds an arm, as far as roofs can tell.
std::string bound_of(const Roof& roof, std::optional<double> share, std::optional<double> fma_share, double seconds) {
  if (!share) {
    if (!roof.memory) return "unknown: no memory_read was measured in this run";
    return "unknown: the arithmetic of these types was not measured in this run";
  }
  if (*share > above_the_roof)
    return roof.memory_binds() ? "caches: the read bandwidth is that of a larger buffer, or of a busier moment"
                               : "fewer operations than counted (Winograd), or a roof measured in a busier moment";
  const std::string binding = roof.memory_binds() ? "memory bandwidth" : "arithmetic";
  if (*share >= at_the_roof) return binding;
  const auto at_best = fmt::format("at the roof it takes {:.4g} us of {:.4g}", *share * seconds * us, seconds * us);
  if (*share >= near_the_roof) return "nearly " + binding + ": " + at_best;
  if (fma_share && *fma_share >= near_the_roof && !roof.memory_binds()) return fmt::format("fused multiply-adds in f32, at {:.2g} of their rate: {}", *fma_share, at_best);
  return "latency, waiting or the kernel itself: " + at_best;
}

std::string types_of(const ComparisonView& view) {
  const auto problem = parse_problem_id(view.problem);
  return problem ? problem->types : "";
}

Json row_of(const ComparisonView& view, const ArmView& arm, const Roof& roof, const std::string& types, const std::string& role) {
  const double rate = *view.info->flops / arm.time->median_s / 1e9;
  const auto share_of = [&](std::optional<double> limit) { return limit ? std::optional(rate / *limit) : std::nullopt; };
  const auto limit = roof.gflop_per_s();
  const auto share = share_of(limit);
  const auto fma_share = multiplies_in_f32(arm, types) ? share_of(roof.fma_gflop_per_s()) : std::nullopt;
  const auto number = [](std::optional<double> value) { return value ? Json(*value) : Json(); };
  return {{"group", view.group()},
          {"label", view.label},
          {"types", types},
          {"algorithm", arm.algorithm},
          {"provider", arm.provider},
          {"role", role},
          {"claim", claim_word(*arm.record)},
          {"observed", to_text(arm.tier)},
          {"time_us", arm.time->median_s * us},
          {"gflop_per_s", rate},
          {"flop_per_byte", roof.flop_per_byte},
          {"roof_gflop_per_s", number(limit)},
          {"limit", !limit ? "" : roof.memory_binds() ? "memory" : "arithmetic"},
          {"roof", !limit ? "" : roof.memory_binds() ? in_words(*roof.memory) : in_words(*roof.arithmetic)},
          {"share", number(share)},
          {"fma_share", number(fma_share)},
          {"bound", bound_of(roof, share, fma_share, arm.time->median_s)},
          {"replay", arm.record->replay}};
}

/// Calls f(view, its roof) for every comparison that has a place under a roof.
template <class F>
void for_each_roofed(const std::vector<ComparisonView>& views, const F& f) {
  const ResultFile* file = nullptr;
  std::optional<Roofs> roofs;
  for (const auto& view : views) {
    if (view.file != file) roofs.emplace(views, *(file = view.file));
    if (is_network(view) || is_machine_rate(view)) continue;
    if (const auto roof = roofs->over(view)) f(view, *roof, *roofs);
  }
}

}  // namespace

std::optional<double> Roof::memory_gflop_per_s() const { return memory ? std::optional(memory->gb_per_s * flop_per_byte) : std::nullopt; }

std::optional<double> Roof::gflop_per_s() const {
  const auto from_memory = memory_gflop_per_s();
  if (!from_memory) return std::nullopt;
  if (arithmetic) return std::min(*from_memory, arithmetic->gflop_per_s);
  // Arithmetic of other types was not measured. Where not even f32's would bind, memory does.
  if (fma && *from_memory <= fma->gflop_per_s) return from_memory;
  return std::nullopt;
}

std::optional<double> Roof::fma_gflop_per_s() const {
  const auto from_memory = memory_gflop_per_s();
  return from_memory && fma ? std::optional(std::min(*from_memory, fma->gflop_per_s)) : std::nullopt;
}

bool Roof::memory_binds() const {
  const auto limit = gflop_per_s();
  return limit && *limit == *memory_gflop_per_s();
}

Roofs::Roofs(const std::vector<ComparisonView>& views, const ResultFile& file)
    : memory_(measured_ceilings(views, file)), arithmetic_(arithmetic_ceilings(views, file)) {}

std::optional<Roof> Roofs::over(const ComparisonView& view) const {
  if (!view.info || view.info->flops.value_or(0) <= 0 || view.info->bytes.value_or(0) <= 0) return std::nullopt;
  return Roof{*view.info->flops / *view.info->bytes, nearest_ceiling(memory_, "memory_read", *view.info->bytes), peak_of(arithmetic_, types_of(view)),
              fma_ceiling(arithmetic_)};
}

std::string Roofs::missing() const {
  const bool reads = std::any_of(memory_.begin(), memory_.end(), [](const Ceiling& c) { return c.op == "memory_read"; });
  if (reads && !arithmetic_.empty()) return "";
  return reads ? "no arithmetic rate was measured" : arithmetic_.empty() ? "neither memory_read nor an arithmetic rate was measured" : "no memory_read was measured";
}

Json roofline_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  for_each_roofed(views, [&](const ComparisonView& view, const Roof& roof, const Roofs&) {
    const Published published(view);
    const auto types = types_of(view);
    for (const auto& arm : view.arms)
      if (arm.timed()) rows.push_back(row_of(view, arm, roof, types, published.role_of(arm)));
  });
  return rows;
}

std::vector<std::string> roofless(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < files.size(); ++i)
    if (const auto missing = Roofs(views, files[i]).missing(); !missing.empty()) {
      const auto tag = file_tag(i, files.size());
      lines.push_back((tag.empty() ? "No roofs" : "No roofs for " + tag) + ": " + missing + " in this run (suite:ceilings)");
    }
  return lines;
}

namespace {

/// One panel of the chart: problems of a kind and type that stand under the same roofs.
struct Panel {
  std::string name;
  Json rows = Json::array();
  std::size_t problems = 0;
  const ComparisonView* view = nullptr;  ///< any of them
  double lowest = HUGE_VAL, highest = 0;  ///< operations per byte
};

/// Directions of a convolution apart; of the rest whole suites, and a matrix product is one wherever it comes from.
std::string panel_of(const ComparisonView& view, const std::string& types) {
  const bool alone = view.suite == "convolution" || view.op == "matmul" || view.suite.empty();
  const auto group = alone ? view.op : view.suite;
  return group + "  " + types.substr(0, types.find("_dw")) + (view.tag.empty() ? "" : " · " + view.tag);
}

/// Names the marks that reach highest, of the fastest arms and of those in fixed order.
void name_the_best(Json& rows, double middle) {
  Json *fastest = nullptr, *fixed = nullptr;
  const auto higher = [](const Json* best, const Json& row) { return !best || row["gflop_per_s"] > (*best)["gflop_per_s"]; };
  for (auto& row : rows) {
    if (row["kind"] != "arm") continue;
    const auto role = row["role"].get<std::string>();
    row["name"] = "";
    row["name_side"] = row["flop_per_byte"] > middle ? "left" : "right";
    if (role.starts_with("fastest") && !role.starts_with("fastest without") && higher(fastest, row)) fastest = &row;
    if (role.find("fixed order") != std::string::npos && higher(fixed, row)) fixed = &row;
  }
  for (auto* best : {fastest, fixed})
    if (best) (*best)["name"] = (*best)["algorithm"];
}

void add_roof(Json& rows, const std::string& name, double x_low, double y_low, double x_high, double y_high) {
  for (const auto& [x, y, text] : {std::tuple{x_low, y_low, std::string()}, {x_high, y_high, name}})
    rows.push_back({{"kind", "roof"}, {"roof", name}, {"flop_per_byte", x}, {"gflop_per_s", y}, {"name", text}});
}

/// The lines of one panel from `low` to `high` operations per byte.
void add_roofs(Json& rows, const Panel& panel, const std::vector<ComparisonView>& views, double low, double high) {
  const auto& file = *panel.view->file;
  const auto memory = measured_ceilings(views, file);
  const auto arithmetic = arithmetic_ceilings(views, file);
  // The largest buffer is memory, smaller ones may be caches.
  const Ceiling* read = nullptr;
  for (const auto& ceiling : memory)
    if (ceiling.op == "memory_read" && (!read || ceiling.buffer_bytes > read->buffer_bytes)) read = &ceiling;
  const auto* peak = peak_of(arithmetic, types_of(*panel.view));
  const auto* fma = fma_ceiling(arithmetic);
  double top = 0;
  for (const auto* ceiling : {peak, fma})
    if (ceiling) top = std::max(top, ceiling->gflop_per_s);
  if (read) {
    const double until = top > 0 ? std::min(high, top / read->gb_per_s) : high;
    if (until > low) add_roof(rows, fmt::format("read {:.4g} GB/s", read->gb_per_s), low, low * read->gb_per_s, until, until * read->gb_per_s);
  }
  const auto level = [&](const ArithmeticCeiling& ceiling, const char* what) {
    const double from = read ? std::max(low, ceiling.gflop_per_s / read->gb_per_s) : low;
    if (from < high) add_roof(rows, fmt::format("{} {:.4g} GFLOP/s", what, ceiling.gflop_per_s), from, ceiling.gflop_per_s, high, ceiling.gflop_per_s);
  };
  if (peak && peak != fma) level(*peak, "products");
  if (fma) level(*fma, "f32 fma");
}

}  // namespace

Json roofline_chart_rows(const std::vector<ComparisonView>& views, std::size_t most_panels) {
  std::vector<Panel> panels;
  for_each_roofed(views, [&](const ComparisonView& view, const Roof& roof, const Roofs&) {
    const Published published(view);
    const auto types = types_of(view);
    const auto name = panel_of(view, types);
    Json rows = Json::array();
    double low = HUGE_VAL, high = 0;
    for (const auto& arm : view.arms) {
      if (!arm.timed()) continue;
      const auto role = published.role_of(arm);
      if (role.empty()) continue;
      auto row = row_of(view, arm, roof, types, role);
      low = std::min(low, row["gflop_per_s"].get<double>()), high = std::max(high, row["gflop_per_s"].get<double>());
      row["kind"] = "arm";
      rows.push_back(std::move(row));
    }
    if (rows.empty()) return;
    auto panel = std::find_if(panels.begin(), panels.end(), [&](const Panel& p) { return p.name == name; });
    if (panel == panels.end()) panel = panels.insert(panels.end(), Panel{name});
    panel->rows.push_back({{"kind", "span"}, {"flop_per_byte", roof.flop_per_byte}, {"low", low}, {"high", high}, {"gflop_per_s", low}});
    for (auto& row : rows) panel->rows.push_back(std::move(row));
    ++panel->problems;
    panel->view = &view;
    panel->lowest = std::min(panel->lowest, roof.flop_per_byte), panel->highest = std::max(panel->highest, roof.flop_per_byte);
  });
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
    name_the_best(panel.rows, std::sqrt(low * high));
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

}  // namespace detbench::analysis
