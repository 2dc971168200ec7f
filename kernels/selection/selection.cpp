#include "kernels/selection/selection.hpp"

namespace detbench {

void Selection::set(const Problem& problem, SelectionRule rule) {
  rules_.insert_or_assign(Key{problem.op, problem.shape, problem.types}, std::move(rule));
}

void Selection::set_default(const std::string& op, SelectionRule rule) { defaults_.insert_or_assign(op, std::move(rule)); }

const SelectionRule* Selection::find(const Problem& problem) const {
  if (const auto rule = rules_.find(Key{problem.op, problem.shape, problem.types}); rule != rules_.end()) return &rule->second;
  if (const auto rule = defaults_.find(problem.op); rule != defaults_.end()) return &rule->second;
  return nullptr;
}

}  // namespace detbench
