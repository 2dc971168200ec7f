// A selection: pure data, (op, problem) -> layout and algorithm. Made by bench/policy from measurements or written by
// hand, read from a policy file, obeyed by the planner of a network.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "kernels/problem.hpp"

namespace detbench {

/// Which algorithm answers, and in which layout of the problem ("nhwc", "nchw", "blocked") it was chosen.
struct SelectionRule {
  std::string layout;
  Algorithm algorithm;        ///< provider, name and options only
  bool operator==(const SelectionRule& other) const {
    return layout == other.layout && algorithm_id(algorithm) == algorithm_id(other.algorithm);
  }
};

class Selection {
 public:
  std::string name;                              ///< the policy: "fastest", "fastest_observed:partition", ...
  std::string demand;                            ///< "none", "run_to_run", "partition", "batch"
  std::string activation_layout = "nhwc";        ///< of the tensors between ops: "nhwc" or "blocked" (nchw16c)
  std::map<std::string, std::string> target;     ///< what it was measured on: cpu, threads, library versions

  /// A rule for one problem, whatever its layout; replaces an earlier one.
  void set(const Problem& problem, SelectionRule rule);
  /// A rule for every problem of an op that has none of its own.
  void set_default(const std::string& op, SelectionRule rule);
  /// The rule for a problem, or its op's default, or nullptr: the planner then takes the library's heuristic choice.
  const SelectionRule* find(const Problem& problem) const;
  std::size_t rules() const { return rules_.size(); }

  using Key = std::tuple<std::string, std::string, std::string>;  ///< op, shape, types
  const std::map<Key, SelectionRule>& all_rules() const { return rules_; }
  const std::map<std::string, SelectionRule>& defaults() const { return defaults_; }

 private:
  std::map<Key, SelectionRule> rules_;
  std::map<std::string, SelectionRule> defaults_;
};

/// The policy file: JSON, schema "detbench-policy", version 1 (docs/policies.md). write then read gives the same
/// selection.
std::string write_selection(const Selection& selection);
/// Refuses malformed, truncated, hostile or newer files with the offending key; `where` names the source in reasons.
Result<Selection> read_selection(std::string_view text, const std::string& where);
/// From a file of at most 16 MiB.
Result<Selection> read_selection_file(const std::string& path);

}  // namespace detbench
