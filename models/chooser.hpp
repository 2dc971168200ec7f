// Which algorithm answers a layer's problem, under a selection.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/op.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {

struct ChosenPlan {
  std::shared_ptr<Plan> plan;
  Problem problem;
  Algorithm algorithm;
  bool fallback = false;
};

/// Plans are kept by case, so that layers that pose the same problem share one.
class Chooser {
 public:
  Chooser(const Selection& selection, const Registry& registry, Device& device) : selection_(selection), registry_(registry), device_(device) {}

  /// For an op whose rule decides the layout; without a rule, `fallback_layout` does. The problem's own layout is ignored.
  Result<ChosenPlan> choose(Problem problem, const std::string& fallback_layout);
  /// For an op that follows the layout of its input number `input`, given as `at_hand`.
  Result<ChosenPlan> choose_for_layout(Problem problem, const TensorSpec& at_hand, std::size_t input);

 private:
  Result<ChosenPlan> from_rule(Problem problem, const SelectionRule& rule);
  Result<ChosenPlan> heuristic(const Problem& problem);
  Result<std::shared_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm);
  const Selection& selection_;
  const Registry& registry_;
  Device& device_;
  std::map<std::string, std::shared_ptr<Plan>> plans_;
  std::map<Problem, Algorithm> heuristics_;
};

}  // namespace detbench
