// Rows of the charts that show whole networks, and the matrix of verdicts.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "bench/analysis/chart_data.hpp"
#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {


std::string panel_of(const ComparisonView& view) {
  const auto network = view.info && !view.info->used_by.empty() ? view.info->used_by.front() : std::string("network");
  const auto slash = view.problem.find('/');
  auto rest = slash == std::string::npos ? view.problem : view.problem.substr(slash + 1);
  std::replace(rest.begin(), rest.end(), '/', ' ');
  // Two lines in a chart: who, and what.
  return (view.tag.empty() ? "" : view.tag + "  ") + network + " · " + rest;
}

/// For one cell over many problems the worst observation stands.
int badness(ScopeVerdict verdict) {
  switch (verdict) {
    case ScopeVerdict::differs: return 5;
    case ScopeVerdict::already_differs: return 4;
    case ScopeVerdict::untested: return 3;
    case ScopeVerdict::no_difference: return 2;
    case ScopeVerdict::not_measured: return 1;
    case ScopeVerdict::not_applicable: return 0;
  }
  return 0;
}

std::string verdict_word(ScopeVerdict verdict) {
  std::string word(to_text(verdict));
  std::replace(word.begin(), word.end(), '_', ' ');
  return word;
}

/// Images of one step, from the "mb" of the shape: throughput follows from the published time, whose half of the blocks
/// the file's own images_per_s does not know.
std::optional<double> images_of(const ComparisonView& view) {
  const auto problem = parse_problem_id(view.problem);
  const auto fields = problem ? parse_shape(problem->shape) : Result<ShapeFields>(tl::unexpected(problem.error()));
  if (!fields) return std::nullopt;
  for (const auto& [key, value] : *fields)
    if (key == "mb") return std::atof(value.c_str());
  return std::nullopt;
}

}  // namespace

Json policy_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  for (const auto& view : views) {
    if (!is_train_step(view)) continue;
    for (std::size_t i = 0; i < view.arms.size(); ++i) {
      const auto& arm = view.arms[i];
      const auto& record = *arm.record;
      Json row{{"panel", panel_of(view)}, {"policy", policy_name(arm)}, {"rank", i},      {"step_ms", nullptr},
               {"minimum_ms", nullptr},   {"ratio", nullptr},           {"low", nullptr}, {"high", nullptr},
               {"images_per_s", nullptr}, {"reorder_share", nullptr},   {"note", ""},     {"replay", record.replay}};
      if (record.status != RunStatus::ok)
        row["note"] = std::string(to_text(record.status)) + (record.reason.empty() ? "" : ": " + record.reason);
      else if (!arm.timed())
        row["note"] = "not timed";
      if (arm.timed()) {
        row["step_ms"] = arm.time->median_s * ms;
        row["minimum_ms"] = arm.time->minimum_s * ms;
        if (arm.ratio) {
          row["ratio"] = arm.ratio->middle;
          row["low"] = arm.ratio->low;
          row["high"] = arm.ratio->high;
        }
        std::string text = fmt::format("{:.1f} ms", arm.time->median_s * ms);
        if (arm.ratio) text += fmt::format(", {:.2f}x", arm.ratio->middle);
        if (view.busy) text += ", ambiguous: busy machine";
        row["note"] = text;
        if (const auto images = images_of(view)) row["images_per_s"] = *images / arm.time->median_s;
      }
      if (const auto& step = record.train_step) {
        if (step->op_s > 0) row["reorder_share"] = step->reorder_s / step->op_s;
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Json policy_scope_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  for (const auto& view : views) {
    if (!is_train_step(view)) continue;
    // A policy that did not run still has its line, so that the panels stay level.
    std::vector<ScopeResult> nothing;
    for (const auto& arm : view.arms)
      for (const auto& scope : arm.record->agreement)
        if (std::none_of(nothing.begin(), nothing.end(), [&](const auto& known) { return known.scope == scope.scope; }))
          nothing.emplace_back().scope = scope.scope;
    for (std::size_t i = 0; i < view.arms.size(); ++i)
      for (const auto& scope : view.arms[i].record->agreement.empty() ? nothing : view.arms[i].record->agreement)
        rows.push_back(
            {{"panel", panel_of(view)},
             {"policy", policy_name(view.arms[i])},
             {"rank", i},
             {"scope", to_text(scope.scope)},
             {"verdict", verdict_word(scope.verdict)},
             {"text", scope.verdict == ScopeVerdict::differs ? fmt::format("{} of {}", scope.distinct, scope.runs + 1)
                      : scope.verdict == ScopeVerdict::no_difference ? fmt::format("n={}", scope.runs)
                                                                     : ""},
             {"words", scope_words(scope)}});
  }
  return rows;
}

Json policy_op_rows(const std::vector<ComparisonView>& views) {
  Json rows = Json::array();
  std::map<std::string, double> total;
  for (const auto& view : views) {
    if (!is_train_step(view)) continue;
    for (std::size_t i = 0; i < view.arms.size(); ++i) {
      const auto& step = view.arms[i].record->train_step;
      std::map<std::string, double> kinds;
      if (step)
        for (const auto& op : step->ops) kinds[op.op] += op.elapsed_s;
      if (kinds.empty()) kinds["not observed"] = 0;
      for (const auto& [kind, seconds] : kinds) {
        total[kind] += seconds;
        rows.push_back({{"panel", panel_of(view)},
                        {"policy", policy_name(view.arms[i])},
                        {"rank", i},
                        {"op", kind},
                        {"op_ms", seconds * ms}});
      }
    }
  }
  // Seven kinds keep a colour of their own; the rest is "other".
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [kind, seconds] : total) ranked.emplace_back(-seconds, kind);
  std::sort(ranked.begin(), ranked.end());
  std::map<std::string, std::size_t> order;
  for (std::size_t k = 0; k < ranked.size() && k < 7; ++k) order[ranked[k].second] = k;
  for (auto& row : rows) {
    const auto found = order.find(row["op"].get<std::string>());
    row["kind"] = found == order.end() ? "other" : found->first;
    row["order"] = found == order.end() ? 7 : found->second;
  }
  return rows;
}

Json verdict_rows(const std::vector<ComparisonView>& views) {
  struct Cell {
    ScopeVerdict worst = ScopeVerdict::not_applicable;
    int differing = 0, tested = 0, untested = 0, none_can_show = 0;
    bool broken = false;
  };
  // In order of first appearance, so that providers keep the order of preference.
  std::map<std::pair<std::string, std::string>, std::size_t> rank;
  std::map<std::pair<std::string, std::string>, std::map<Scope, Cell>> cells;
  for (const auto& view : views)
    for (const auto& arm : view.arms) {
      if (arm.record->agreement.empty()) continue;
      const std::pair key{view.group(), is_train_step(view) ? policy_name(arm) : arm.algorithm};
      rank.emplace(key, rank.size());
      for (const auto& scope : arm.record->agreement) {
        auto& cell = cells[key][scope.scope];
        // Seen without a difference where none could have shown: not a test that was passed.
        if (scope.verdict == ScopeVerdict::no_difference && !cannot_show(*arm.record).empty()) {
          ++cell.none_can_show;
          continue;
        }
        if (badness(scope.verdict) > badness(cell.worst)) cell.worst = scope.verdict;
        const bool differs = scope.verdict == ScopeVerdict::differs || scope.verdict == ScopeVerdict::already_differs;
        if (differs) ++cell.differing;
        if (differs || scope.verdict == ScopeVerdict::no_difference) ++cell.tested;
        if (scope.verdict == ScopeVerdict::untested) ++cell.untested;
        if (scope.verdict == ScopeVerdict::differs && arm.record->claim_verdict == ClaimVerdict::broken &&
            arm.record->claim.covers(scope.scope))
          cell.broken = true;
      }
    }
  Json rows = Json::array();
  for (const auto& [key, scopes] : cells)
    for (const auto& [scope, cell] : scopes) {
      const bool shown = cell.worst != ScopeVerdict::not_applicable && cell.worst != ScopeVerdict::not_measured;
      const bool only_unshowable = cell.none_can_show > 0 && badness(cell.worst) <= badness(ScopeVerdict::not_measured);
      rows.push_back({{"panel", key.first},
                      {"algorithm", key.second},
                      {"rank", rank[key]},
                      {"scope", to_text(scope)},
                      {"verdict", only_unshowable ? "none can show" : verdict_word(cell.worst)},
                      {"text", only_unshowable ? "-" : shown ? fmt::format("{}/{}", cell.differing, cell.tested) : ""},
                      {"broken", cell.broken},
                      {"differing", cell.differing},
                      {"tested", cell.tested},
                      {"none_can_show", cell.none_can_show},
                      {"untested", cell.untested}});
    }
  return rows;
}

Json layer_rows(const std::vector<ComparisonView>& views, std::size_t most_layers) {
  Json rows = Json::array();
  const bool several = std::count_if(views.begin(), views.end(), is_train_step) > 1;
  int facet_rank = 0;
  for (const auto& view : views) {
    if (!is_train_step(view)) continue;
    using Key = std::pair<std::string, std::string>;  // layer, phase
    const auto seconds_of = [](const ArmView& arm) {
      std::map<Key, double> seconds;
      for (const auto& op : arm.record->train_step->ops)
        seconds[{op.layer.empty() ? op.op : op.layer, op.phase}] += op.elapsed_s;
      return seconds;
    };
    const ArmView* base = nullptr;
    for (const auto& arm : view.arms)
      if (arm.record->train_step && !arm.record->train_step->ops.empty() && (!base || policy_name(arm) == "fastest"))
        base = &arm;
    if (!base) continue;
    const auto base_seconds = seconds_of(*base);
    std::map<std::string, double> weight;  // largest difference that any policy makes in a layer
    struct Extra {
      const ArmView* arm;
      std::map<Key, double> seconds;
    };
    std::vector<Extra> extras;
    for (const auto& arm : view.arms) {
      if (&arm == base || !arm.record->train_step || arm.record->train_step->ops.empty()) continue;
      Extra extra{&arm, seconds_of(arm)};
      for (const auto& [key, seconds] : base_seconds) extra.seconds[key] -= seconds;
      std::map<std::string, double> per_layer;
      for (const auto& [key, seconds] : extra.seconds) per_layer[key.first] += seconds;
      for (const auto& [layer, seconds] : per_layer) weight[layer] = std::max(weight[layer], std::abs(seconds));
      extras.push_back(std::move(extra));
    }
    std::vector<std::pair<double, std::string>> ranked;
    for (const auto& [layer, seconds] : weight) ranked.emplace_back(-seconds, layer);
    std::sort(ranked.begin(), ranked.end());
    std::map<std::string, std::size_t> rank;
    for (std::size_t k = 0; k < ranked.size() && k < most_layers; ++k) rank[ranked[k].second] = k;
    for (const auto& extra : extras) {
      ++facet_rank;
      for (const auto& [key, seconds] : extra.seconds) {
        const auto found = rank.find(key.first);
        if (found == rank.end()) continue;
        rows.push_back({{"facet", policy_name(*extra.arm) + (several ? "  (" + panel_of(view) + ")" : "")},
                        {"facet_rank", facet_rank},
                        {"policy", policy_name(*extra.arm)},
                        {"base", policy_name(*base)},
                        {"layer", key.first},
                        {"rank", found->second},
                        {"phase", key.second},
                        {"extra_ms", seconds * ms}});
      }
    }
  }
  return rows;
}

}  // namespace detbench::analysis
