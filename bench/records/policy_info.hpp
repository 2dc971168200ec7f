// How the policies of a run were chosen, and what became of their picks when these were probed again (docs/policies.md). Optional in
// a result file: only runs that choose have it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// A pick that did not keep what it had shown.
struct StruckPick {
  std::string id;      ///< case name
  std::string scope;   ///< in which it failed; empty: it crashed, was wrong or could not be made
  std::string reason;
};

struct PolicyInfo {
  std::string name, demand, meaning, activation_layout;
  std::uint64_t problems = 0;            ///< distinct problems with a rule
  std::uint64_t layers = 0;              ///< of the networks that pose them: problems weighted by their uses
  std::uint64_t layers_met = 0;          ///< of those, layers whose pick meets the demand
  double layers_s = 0;                   ///< weighted sum of the picks' medians on the choosing half; never a network's price
  double fastest_layers_s = 0;           ///< the same of the fastest arms
  std::vector<std::string> unmet;        ///< problems without an arm that meets the demand
  std::uint32_t probed_again = 0;        ///< picks
  std::uint32_t held = 0;                ///< of those
  std::uint32_t not_probed_again = 0;    ///< picks for which no time was left
  std::vector<StruckPick> struck;
};

nlohmann::ordered_json to_json(const StruckPick&);
nlohmann::ordered_json to_json(const PolicyInfo&);
Result<StruckPick> read_struck_pick(const nlohmann::ordered_json&, const std::string& path);
Result<PolicyInfo> read_policy_info(const nlohmann::ordered_json&, const std::string& path);

}  // namespace detbench
