#include "bench/analysis/reduction_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {

constexpr std::string_view distributions[] = {"uniform", "wide", "cancelling"};

std::string part(const std::string& text, std::size_t which) {
  std::size_t at = 0;
  for (; which > 0; --which) {
    const auto slash = text.find('/', at);
    if (slash == std::string::npos) return "";
    at = slash + 1;
  }
  return text.substr(at, text.find('/', at) - at);
}

std::optional<double> number_note(const ComparisonView& view, const char* key) {
  for (const auto& arm : view.arms)
    if (const auto found = arm.record->notes.find(key); found != arm.record->notes.end()) {
      char* end = nullptr;
      const double value = std::strtod(found->second.c_str(), &end);
      if (end != found->second.c_str() && std::isfinite(value)) return value;
    }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(OrderKind kind) {
  switch (kind) {
    case OrderKind::unordered: return "unordered";
    case OrderKind::repeatable: return "claims run_to_run";
    case OrderKind::fixed_order: return "fixed order";
    case OrderKind::order_independent: return "order-independent";
  }
  return "";
}

OrderKind order_kind(const ArmView& arm) {
  const auto& claim = arm.record->claim;
  if (claim.source.empty() || claim.guarantee == Guarantee::not_guaranteed) return OrderKind::unordered;
  if (claim.guarantee == Guarantee::run_to_run) return OrderKind::repeatable;
  return arm.provider == "order_independent" ? OrderKind::order_independent : OrderKind::fixed_order;
}

bool is_atomic(const ArmView& arm) {
  return order_kind(arm) == OrderKind::unordered && arm.algorithm.find("atomic") != std::string::npos;
}

std::optional<ErrorUlp> error_of(const Record& record) {
  if (const auto& a = record.accuracy; a && std::isfinite(a->error_ulp)) {
    const bool ranged = a->error_ulp_min && a->error_ulp_max;
    return ErrorUlp{a->error_ulp, ranged ? *a->error_ulp_min : a->error_ulp, ranged ? *a->error_ulp_max : a->error_ulp, ranged};
  }
  // Files from before there was an exact sum: distance to the rounded fp64 answer.
  if (!record.verification || record.accuracy) return std::nullopt;
  const auto ulp = static_cast<double>(record.verification->max_ulp);
  return ErrorUlp{ulp, ulp, ulp, false};
}

std::string in_words(const ErrorUlp& error) {
  auto text = fmt::format("{:.3g} ULP", error.value);
  if (error.ranged && error.high > error.low) text += fmt::format(" ({:.3g} to {:.3g} over the runs)", error.low, error.high);
  return text;
}

ReductionProblem reduction_problem(const ComparisonView& view) {
  ReductionProblem problem{part(view.problem, 1), part(view.problem, 2), "centred", "", {}, {}};
  const auto worded = split_words(problem.shape);
  for (const auto word : worded.words) {
    if (std::find(std::begin(distributions), std::end(distributions), word) != std::end(distributions))
      problem.distribution = std::string(word);
    else
      problem.layout += (problem.layout.empty() ? "" : "_") + std::string(word);
  }
  const auto fields = parse_shape(worded.fields);
  std::map<std::string, std::string> of;
  if (fields) of.insert(fields->begin(), fields->end());
  if (!of.contains("bins")) {
    problem.layout.clear();
    return problem;
  }
  problem.updates = std::atof(of["n"].c_str());
  problem.updates_per_bin = number_note(view, "updates_per_bin");
  if (const double bins = std::atof(of["bins"].c_str()); !problem.updates_per_bin && bins > 0) problem.updates_per_bin = *problem.updates / bins;
  if (std::atof(of["hot"].c_str()) > 0) problem.layout = fmt::format("{} hot{}", of["hot"], problem.layout.empty() ? "" : " " + problem.layout);
  if (problem.layout.empty()) problem.layout = "random";
  return problem;
}

TimeRatio time_ratio(const ComparisonView& view, const ArmView& base, const ArmView& arm) {
  TimeRatio ratio;
  ratio.interval = ratio_between(view, base, arm);
  ratio.middle = ratio.interval ? ratio.interval->middle : arm.time->median_s / base.time->median_s;
  return ratio;
}

}  // namespace detbench::analysis
