// Selections made from records: which algorithm for which layer, under which demand (DESIGN section 6).
//
// Choosing uses the choosing half of the blocks only; every published time comes from the other half, and a network's
// price from its own measured step, never from a sum of these (METHOD section 7).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/records/record.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {

/// What an algorithm must not have done to be picked.
struct Demand {
  std::string name;            ///< "none", "run_to_run", "partition"
  std::vector<Scope> scopes;   ///< no difference may have been seen in these, and each must have been tested
};

struct Policy {
  std::string name;            ///< as in case names: "fastest", "fastest_observed:partition"
  Demand demand;
};

/// fastest, fastest_observed:run_to_run, fastest_observed:partition: those that are made from records.
const std::vector<Policy>& measured_policies();

/// A policy's name as a file name: ':' becomes '.'.
std::string policy_file_name(const std::string& policy);

/// What a policy picked for one problem, and what it gave up.
struct Pick {
  Problem problem;
  SelectionRule rule;
  double median_s = 0;         ///< on the choosing half
  std::string runner_up;       ///< algorithm id of the next best, empty if none
};

/// Picks per layer for a network that keeps its activations in `activation_layout` ("nhwc" or "blocked"), weighing each
/// problem by how many layers use it. A problem without an arm that meets the demand in that layout takes one from the
/// other layout; without any, it gets no rule and `unmet` names it.
struct Candidate {
  Selection selection;
  double total_s = 0;          ///< weighted sum of medians, for the choice of layout alone
  std::vector<std::string> unmet;
};
Candidate choose(const Policy& policy, const std::string& activation_layout, const std::vector<ComparisonInfo>& comparisons,
                 const std::vector<Record>& records);

/// The better of both activation layouts.
Candidate choose(const Policy& policy, const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records);

/// Writes one policy file per measured policy into `directory`.
Status write_policies(const std::vector<ComparisonInfo>& comparisons, const std::vector<Record>& records,
                      const std::map<std::string, std::string>& target, const std::filesystem::path& directory);

/// Whether a record met a demand: nothing differed in its scopes and every scope was really tested.
bool meets(const Record& record, const Demand& demand);

}  // namespace detbench
