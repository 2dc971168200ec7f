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
constexpr double share_above = 1.1, share_bound = 0.9, share_near = 0.7;

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

std::string ceiling_words(const Ceiling& ceiling) {
  return fmt::format("{} {}, {:.4g} GB/s", ceiling.op, bytes_in_words(ceiling.buffer_bytes), ceiling.gb_per_s);
}
std::string ceiling_words(const ArithmeticCeiling& ceiling) {
  return fmt::format("{} {} {}, {:.4g} GFLOP/s", ceiling.op, ceiling.size, ceiling.types, ceiling.gflop_per_s);
}

/// What binds an arm, as far as roofs can tell.
std::string roof_bound(const Roof& roof, std::optional<double> share, std::optional<double> fma_share, double seconds) {
  if (!share) {
    if (!roof.memory) return "unknown: no memory_read was measured in this run";
    return "unknown: the arithmetic of these types was not measured in this run";
  }
  if (*share > share_above)
    return roof.memory_binds() ? "caches: the read bandwidth is that of a larger buffer, or of a busier moment"
                               : "fewer operations than counted (Winograd), or a roof measured in a busier moment";
  const std::string binding = roof.memory_binds() ? "memory bandwidth" : "arithmetic";
  if (*share >= share_bound) return binding;
  const auto at_best = fmt::format("at the roof it takes {:.4g} us of {:.4g}", *share * seconds * us, seconds * us);
  if (*share >= share_near) return "nearly " + binding + ": " + at_best;
  if (fma_share && *fma_share >= share_near && !roof.memory_binds()) return fmt::format("fused multiply-adds in f32, at {:.2g} of their rate: {}", *fma_share, at_best);
  return "latency, waiting or the kernel itself: " + at_best;
}

std::string types_of_problem(const ComparisonView& view) {
  const auto problem = parse_problem_id(view.problem);
  return problem ? problem->types : "";
}

Json roofline_row(const ComparisonView& view, const ArmView& arm, const Roof& roof, const std::string& types, const std::string& role) {
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
          {"roof", !limit ? "" : roof.memory_binds() ? ceiling_words(*roof.memory) : ceiling_words(*roof.arithmetic)},
          {"share", number(share)},
          {"fma_share", number(fma_share)},
          {"bound", roof_bound(roof, share, fma_share, arm.time->median_s)},
          {"replay", arm.record->replay}};
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
  return Roof{*view.info->flops / *view.info->bytes, nearest_ceiling(memory_, "memory_read", *view.info->bytes), peak_of(arithmetic_, types_of_problem(view)),
              fma_ceiling(arithmetic_)};
}

std::string Roofs::missing() const {
  const bool reads = std::any_of(memory_.begin(), memory_.end(), [](const Ceiling& c) { return c.op == "memory_read"; });
  if (reads && !arithmetic_.empty()) return "";
  return reads ? "no arithmetic rate was measured" : arithmetic_.empty() ? "neither memory_read nor an arithmetic rate was measured" : "no memory_read was measured";
}

std::vector<RooflineProblem> roofline_problems(const std::vector<ComparisonView>& views) {
  std::vector<RooflineProblem> problems;
  const ResultFile* file = nullptr;
  std::optional<Roofs> roofs;
  for (const auto& view : views) {
    if (view.file != file) roofs.emplace(views, *(file = view.file));
    if (is_network(view) || is_machine_rate(view)) continue;
    const auto roof = roofs->over(view);
    if (!roof) continue;
    const Published published(view);
    RooflineProblem problem{&view, types_of_problem(view), Json::array()};
    for (const auto& arm : view.arms)
      if (arm.timed()) problem.rows.push_back(roofline_row(view, arm, *roof, problem.types, published.role_of(arm)));
    if (!problem.rows.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

Json roofline_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  for (auto& problem : roofline_problems(views))
    for (auto& row : problem.rows) rows.push_back(std::move(row));
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

}  // namespace detbench::analysis
