// What a policy picks is probed again before it is reported: fresh and under load. A pick that fails is struck, recorded, and
// the next one taken.
#pragma once

#include <filesystem>
#include <functional>
#include <map>

#include "bench/policy/choose.hpp"
#include "bench/records/policy_info.hpp"

namespace detbench {

/// What came of probing a pick again.
struct PickCheck {
  RunStatus status = RunStatus::ok;
  std::string reason;
  std::vector<ScopeResult> agreement;
  std::string output_digest;   ///< empty: unknown
};

/// Probes a case again in a process that has not run it before, in these scopes. An error ends the checking: nothing is struck
/// for a worker that could not be started.
using ProbeAgain = std::function<Result<PickCheck>(const std::string& case_id, const std::vector<Scope>& scopes)>;

/// Policies as chosen, and what probing again did to them.
struct CheckedPolicies {
  std::vector<Selection> selections;         ///< those that have a rule at all, in the order of the policies
  std::vector<PolicyInfo> infos;             ///< one per policy
  std::map<std::string, std::string> notes;  ///< by case name of a pick: "no difference in 10 runs, 30 under load", "not probed again: ..."
};

/// Chooses, probes the picks of policies that demand anything again, the ones that take most of a network's time first, strikes
/// and chooses anew until every pick held or `time_is_over`. Never longer than one probe beyond that.
Result<CheckedPolicies> choose_and_check(const std::vector<Policy>& policies, const std::vector<ComparisonInfo>& comparisons,
                                         const std::vector<Record>& records, const std::map<std::string, std::string>& target,
                                         const ProbeAgain& probe_again, const std::function<bool()>& time_is_over);

/// What a check of a pick shows to have failed in these scopes; nullopt: nothing. `digest_before` is the row's, for scope `process`.
std::optional<Strike> failure_of(const std::string& case_id, const PickCheck& check, const std::vector<Scope>& scopes, const std::string& digest_before);

/// Writes one policy file per selection into `directory`, replacing what is there.
Status write_policies(const std::vector<Selection>& selections, const std::filesystem::path& directory);

}  // namespace detbench
