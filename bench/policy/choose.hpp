// Selections made from records: which algorithm for which layer, under which policy (DESIGN section 6).
//
// Choosing uses the choosing half of the blocks only; every published time comes from the other half, and a network's
// price from its own measured step, never from a sum of these (METHOD section 7).
#pragma once

#include <string>
#include <vector>

#include "bench/policy/policy.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {

/// An arm that was picked, probed again and did not keep what it had shown. It is no candidate any more for any demand that
/// holds the scope, and for none at all where it went wrong altogether.
struct Strike {
  std::string id;              ///< case name
  std::optional<Scope> scope;  ///< nullopt: crashed, wrong, gone
  std::string reason;
  bool operator==(const Strike&) const = default;
};

/// What a policy picked for one problem.
struct Pick {
  Problem problem;             ///< in the layout that was measured
  SelectionRule rule;
  double median_s = 0;         ///< on the choosing half
  std::size_t uses = 0;        ///< layers that pose the problem
  bool met = false;            ///< it meets the policy's demand; false only for `fastest` and for what a budget did not buy
  std::string runner_up;       ///< algorithm id of the next best, empty if none
  std::string id() const { return case_id(problem, rule.algorithm); }
};

/// Picks per layer for a network that keeps its activations in one layout, weighing each problem by how many layers use it. A
/// problem without an arm that meets the demand in that layout takes one from the other layout; without any, it gets no rule
/// and `unmet` names it.
struct Candidate {
  Selection selection;
  std::vector<Pick> picks;
  double total_s = 0;          ///< weighted sum of medians: for the choice of layout and for budgets alone
  double fastest_s = 0;        ///< the same of the fastest arms: what a budget is counted in
  std::size_t layers = 0, layers_met = 0;  ///< picks weighted by their uses
  std::vector<std::string> unmet;
};

/// Everything that may be picked from a run, read once. Records and comparisons must outlive it.
class Choices {
 public:
  Choices(const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records);
  ~Choices();
  /// For activations in `activation_layout` ("nhwc" or "blocked").
  ///
  /// budget:X% buys like this: every layer begins with its fastest arm. Those that do not meet the demand are moved to their
  /// fastest arm that does, the cheapest move per layer first, so that the most layers are bought; a problem that L layers pose
  /// costs L times its difference and is bought for all of them or not at all; a move that no longer fits is passed over.
  Candidate choose(const Policy& policy, const std::string& activation_layout, const std::vector<Strike>& struck = {}) const;
  /// The better of both activation layouts: fewer layers left without an algorithm first, then less time. A budget keeps
  /// the layout of `fastest`, which it is counted in.
  Candidate choose(const Policy& policy, const std::vector<Strike>& struck = {}) const;
  /// Problems of a network that have at least one arm to choose from.
  std::size_t problems() const;

 private:
  struct Arm;
  struct Layer;
  std::vector<Layer> layers_;
};

}  // namespace detbench
