// Policies that are made from measurements, by name: what they demand of an arm, and how they pay for it (docs/policies.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

/// What an algorithm must show, or claim, to be picked.
struct Demand {
  std::string name;            ///< "none", "run_to_run", "partition", "batch"
  std::vector<Scope> scopes;   ///< no difference may have been seen in these, and each must have been tested
};

/// none · run_to_run (repeat, process, load) · partition (those and partition) · batch (those of run_to_run and batch).
const std::vector<Demand>& demands();
/// Refuses anything else in one line that names them.
Result<Demand> parse_demand(std::string_view name);

enum class PolicyKind {
  fastest,   ///< whatever its bits do
  observed,  ///< the fastest that showed no difference in the demand's scopes
  claimed,   ///< the fastest whose claim covers the demand's scopes, whatever was observed
  budget     ///< as fastest, with layers moved to arms that meet the demand while that costs at most budget_percent
};

struct Policy {
  std::string name;            ///< as in case names: "fastest", "fastest_observed:partition", "budget:10%"
  PolicyKind kind = PolicyKind::fastest;
  Demand demand;
  double budget_percent = 0;   ///< of the time of `fastest`, over all layers
  /// One line for reports.
  std::string meaning() const;
};

/// "fastest", "fastest_observed:DEMAND", "fastest_claimed:DEMAND", "budget:X%" (buys partition) or "budget:X%:DEMAND".
Result<Policy> parse_policy(std::string_view name);
/// What a run of a profile chooses by itself, in the order of reports: smoke and quick the few that tell most, standard and full all.
std::vector<Policy> policies_of_profile(std::string_view profile);

/// A policy's name as a file name: ':' becomes '.', and ".json" behind it.
std::string policy_file_name(const std::string& policy);

/// Whether a record met a demand: nothing differed in its scopes and every scope was really tested. Scope `batch` has no
/// meaning for an op that sums over the batch; such an op meets it by being asked nothing.
bool meets(const Record& record, const Demand& demand);
/// Whether the record's claim covers a demand; `batch` as above.
bool claims(const Record& record, const Demand& demand);

}  // namespace detbench
