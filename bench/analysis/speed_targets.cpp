// The speeds that reductions of this suite aim at (DESIGN section 11), held against what was measured.
#include <fmt/format.h>

#include <algorithm>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/reduction_rows.hpp"

namespace detbench::analysis {
namespace {

constexpr double gpu_sum_elements = 268435456;  // 2^28
constexpr double of_read_bandwidth = 0.9, order_independent_of_bandwidth = 0.8;
constexpr double tree_of_unordered = 0.9, order_independent_of_unordered = 0.8;
constexpr double ordered_scatter_limit = 2.0;
/// Updates per bin up to which contention counts as low, where bins are drawn and none is hot.
constexpr double low_contention = 16;

/// Rows of one file.
class Targets {
 public:
  Targets(const std::vector<ComparisonView>& views, const ResultFile& file, std::string tag)
      : views_(views), file_(file), tag_(std::move(tag)), ceilings_(measured_ceilings(views, file)) {}

  Json rows() {
    if (file_.backend == "cuda") {
      gpu_sums();
    } else {
      cpu_sums();
      cpu_scatters();
    }
    return std::move(rows_);
  }

 private:
  static bool is_order_independent(const ArmView& arm) { return order_kind(arm) == OrderKind::order_independent; }
  static bool is_unordered(const ArmView& arm) { return order_kind(arm) == OrderKind::unordered; }
  static std::string name_of(const ArmView& arm) {
    const auto colon = arm.algorithm.find(':');
    const auto name = colon == std::string::npos ? arm.algorithm : arm.algorithm.substr(colon + 1);
    return name.substr(0, name.find('@'));
  }

  void add(const std::string& target, const ComparisonView& view, const ArmView& arm, double reached, std::optional<Interval> interval,
           double asked, bool at_most) {
    const double bytes = view.info->bytes.value_or(0);
    const auto* roof = nearest_ceiling(ceilings_, "memory_read", bytes);
    const auto share = roof ? std::optional(bytes / arm.time->median_s / 1e9 / roof->gb_per_s) : std::nullopt;
    const bool met = at_most ? reached <= asked : reached >= asked;
    const bool on_the_border = interval && interval->low < asked && interval->high > asked;
    std::string verdict = met ? "met" : "missed";
    if (view.busy) verdict = "ambiguous: busy machine";
    else if (on_the_border) verdict += ", within the noise";
    rows_.push_back({{"file", tag_},
                     {"target", target},
                     {"problem", view.group() + "  " + view.label},
                     {"arm", arm.algorithm},
                     {"reached", reached},
                     {"low", interval ? Json(interval->low) : Json()},
                     {"high", interval ? Json(interval->high) : Json()},
                     {"asked", fmt::format("{} {}", at_most ? "at most" : "at least", asked)},
                     {"verdict", verdict},
                     {"roof_gb_per_s", roof ? Json(roof->gb_per_s) : Json()},
                     {"share", share ? Json(*share) : Json()},
                     {"bound", bound_in_words(share, bytes, arm.time->median_s)},
                     {"replay", arm.record->replay}});
  }

  void not_measured(const std::string& target, const std::string& why) {
    rows_.push_back({{"file", tag_},
                     {"target", target},
                     {"problem", ""},
                     {"arm", ""},
                     {"reached", nullptr},
                     {"low", nullptr},
                     {"high", nullptr},
                     {"asked", ""},
                     {"verdict", "not measured: " + why},
                     {"roof_gb_per_s", nullptr},
                     {"share", nullptr},
                     {"bound", ""},
                     {"replay", ""}});
  }

  template <class Fits>
  std::vector<const ComparisonView*> problems(const Fits& fits) const {
    std::vector<const ComparisonView*> found;
    for (const auto& view : views_)
      if (view.file == &file_ && view.info && view.info->bytes && view.fastest && fits(view)) found.push_back(&view);
    return found;
  }

  /// `arm`'s speed as a share of `base`'s.
  void against(const std::string& target, const ComparisonView& view, const ArmView* base, const ArmView* arm, double asked) {
    if (!base || !arm) return not_measured(target, std::string(base ? "no such arm" : "no unordered arm") + " was timed for " + view.label);
    const auto ratio = time_ratio(view, *base, *arm);
    std::optional<Interval> interval;
    if (ratio.interval) interval = Interval{1 / ratio.interval->high, 1 / ratio.interval->middle, 1 / ratio.interval->low};
    add(target, view, *arm, 1 / ratio.middle, interval, asked, false);
  }

  void cpu_sums() {
    const auto cache = last_level_cache_bytes(file_);
    const std::string tree = "fixed tree at least 0.9x as fast as the fastest unordered sum, beyond the last-level cache",
                      independent = "fastest order-independent sum at least 0.8x as fast as the fastest unordered one, beyond the last-level cache";
    const auto large = problems([&](const ComparisonView& v) { return v.op == "sum" && cache && *v.info->bytes > *cache; });
    if (large.empty()) {
      const auto why = cache ? "no sum over " + bytes_in_words(*cache) + " was timed; the profile standard has some" : "the manifest names no cache";
      not_measured(tree, why);
      return not_measured(independent, why);
    }
    for (const auto* view : large) {
      const auto* unordered = fastest_of(*view, is_unordered);
      against(tree, *view, unordered, fastest_of(*view, [](const ArmView& arm) { return arm.provider == "fixed_order" && name_of(arm) == "fixed_tree"; }),
              tree_of_unordered);
      against(independent, *view, unordered, fastest_of(*view, is_order_independent), order_independent_of_unordered);
    }
  }

  void cpu_scatters() {
    const std::string target = "scatter-add in fixed order within 2x of the fastest atomic one at low contention (at most 16 updates per bin, none hot)";
    const auto low = problems([](const ComparisonView& v) {
      const auto problem = reduction_problem(v);
      return problem.updates_per_bin && *problem.updates_per_bin <= low_contention && problem.layout == "random";
    });
    bool any = false;
    for (const auto* view : low) {
      const auto* atomic = fastest_of(*view, is_atomic);
      const auto* ordered = fastest_of(*view, [](const ArmView& arm) { return order_kind(arm) == OrderKind::fixed_order; });
      if (!atomic || !ordered) continue;
      any = true;
      const auto ratio = time_ratio(*view, *atomic, *ordered);
      add(target, *view, *ordered, ratio.middle, ratio.interval, ordered_scatter_limit, true);
    }
    if (!any) not_measured(target, "no scatter-add of so few updates per bin was timed in both ways");
  }

  void gpu_sums() {
    const auto large = problems([](const ComparisonView& v) {
      const auto problem = reduction_problem(v);
      return v.op == "sum" && problem.types.rfind("f32_f32", 0) == 0 && *v.info->bytes >= 4 * gpu_sum_elements;
    });
    const auto share_target = [&](const ComparisonView& view, const std::string& target, const ArmView* arm, double asked) {
      const auto* roof = nearest_ceiling(ceilings_, "memory_read", *view.info->bytes);
      if (!arm || !roof) return not_measured(target, arm ? "no memory_read was measured" : "no such arm was timed for " + view.label);
      add(target, view, *arm, *view.info->bytes / arm->time->median_s / 1e9 / roof->gb_per_s, std::nullopt, asked, false);
    };
    const auto in_words_of = [](const std::string& name, double asked) { return fmt::format("{} at least {}x of the measured read bandwidth at 2^28 floats", name, asked); };
    constexpr std::string_view names[] = {"block_then_atomic", "two_pass", "last_block", "fixed_tree"};
    for (const auto name : names) {
      const auto target = in_words_of(std::string(name), of_read_bandwidth);
      if (large.empty()) not_measured(target, "no sum of 2^28 floats was timed");
      for (const auto* view : large)
        share_target(*view, target, fastest_of(*view, [&](const ArmView& arm) { return name_of(arm) == name; }), of_read_bandwidth);
    }
    const auto target = in_words_of("fastest order-independent sum", order_independent_of_bandwidth);
    if (large.empty()) not_measured(target, "no sum of 2^28 floats was timed");
    for (const auto* view : large) share_target(*view, target, fastest_of(*view, is_order_independent), order_independent_of_bandwidth);
  }

  const std::vector<ComparisonView>& views_;
  const ResultFile& file_;
  std::string tag_;
  std::vector<Ceiling> ceilings_;
  Json rows_ = Json::array();
};

bool has_reductions(const std::vector<ComparisonView>& views, const ResultFile& file) {
  return std::any_of(views.begin(), views.end(), [&](const ComparisonView& v) { return v.file == &file && is_reduction(v) && v.fastest; });
}

}  // namespace

Json speed_target_rows(const std::vector<ComparisonView>& views, const ResultFile& file, std::string tag) {
  return has_reductions(views, file) ? Targets(views, file, std::move(tag)).rows() : Json::array();
}

Json speed_target_rows(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < files.size(); ++i)
    for (auto& row : speed_target_rows(views, files[i], file_tag(i, files.size()))) rows.push_back(std::move(row));
  return rows;
}

}  // namespace detbench::analysis
