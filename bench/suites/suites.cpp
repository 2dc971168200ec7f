#include "bench/suites/suites.hpp"

#include <algorithm>

namespace detbench {
namespace {

constexpr std::int64_t control_elements = 65536;

void add(std::vector<PlannedComparison>& all, const Filter& filter, Problem problem, std::vector<std::string> used_by) {
  const auto suite = suite_of(problem.op);
  if (filter.accepts(suite, problem, used_by)) all.push_back({std::move(problem), suite, std::move(used_by), true, {}});
}

void add_reductions(std::vector<PlannedComparison>& all, const Profile& profile, const Filter& filter) {
  for (const auto elements : profile.sum_elements)
    add(all, filter, {"sum", "n" + std::to_string(elements), "f32_f32_strict", "vector"}, {});
}

}  // namespace

std::string suite_of(const std::string& op) {
  const auto begins = [&](std::string_view prefix) { return op.rfind(prefix, 0) == 0; };
  if (begins("conv_")) return "convolution";
  if (begins("dense_")) return "dense";
  if (begins("batch_norm")) return "batch_norm";
  if (begins("train_step")) return "train_step";
  if (op == "sum") return "reduction";
  if (op == "scatter_add") return "scatter_add";
  if (op == "control") return "control";
  return "other";
}

PlannedComparison plan_controls() {
  return {{"control", "n" + std::to_string(control_elements), "f32_f32_strict", "vector"}, "control", {}, false, {}};
}

Result<std::vector<PlannedComparison>> plan_comparisons(const Registry& registry, const Profile& profile, const Filter& filter) {
  std::vector<PlannedComparison> all;
  if (const auto& problem = filter.problem()) {
    if (suite_of(problem->op) == "train_step") return all;
    const auto* operation = registry.find(problem->op);
    if (operation == nullptr) {
      std::string ops;
      for (const auto& known : registry.operations()) ops += (ops.empty() ? "" : ", ") + std::string(known->op());
      return invalid_input("'" + problem->op + "' is no op: " + ops + " are");
    }
    if (auto good = operation->check(*problem); !good) return tl::unexpected(good.error());
    add(all, filter, *problem, {});
    return all;
  }
  add_reductions(all, profile, filter);
  return all;
}

Result<std::vector<PlannedComparison>> plan_train_steps(const Registry&, const Profile&, const Filter&) {
  return std::vector<PlannedComparison>{};
}

}  // namespace detbench
