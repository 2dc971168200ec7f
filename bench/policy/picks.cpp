#include "bench/policy/picks.hpp"

#include <algorithm>

namespace detbench {
namespace {

struct Checked {
  std::vector<Scope> scopes;
  PickCheck check;
};

bool contains(const std::vector<Scope>& scopes, Scope scope) { return std::find(scopes.begin(), scopes.end(), scope) != scopes.end(); }

bool holds(const std::vector<Scope>& have, const std::vector<Scope>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](Scope scope) { return contains(have, scope); });
}

/// Picks that were made because they meet a demand: those whose promise can be broken.
bool promises(const Policy& policy, const Pick& pick) { return !policy.demand.scopes.empty() && pick.met; }

std::string note_of(const PickCheck& check) {
  std::string runs;
  for (const auto& result : check.agreement)
    if (result.verdict == ScopeVerdict::no_difference)
      runs += (runs.empty() ? "" : ", ") + std::string(to_text(result.scope)) + " " + std::to_string(result.runs);
  return runs.empty() ? "nothing could be tested" : "no difference in " + runs;
}

constexpr const char* out_of_time = "not probed again: the time that the profile gives for it was over";

}  // namespace

std::optional<Strike> failure_of(const std::string& case_id, const PickCheck& check, const std::vector<Scope>& scopes, const std::string& digest_before) {
  if (check.status != RunStatus::ok) return Strike{case_id, std::nullopt, std::string(to_text(check.status)) + (check.reason.empty() ? "" : ": " + check.reason)};
  for (const auto& result : check.agreement) {
    if (!contains(scopes, result.scope)) continue;
    if (result.verdict != ScopeVerdict::differs && result.verdict != ScopeVerdict::already_differs) continue;
    return Strike{case_id, result.scope, std::to_string(result.distinct) + " distinct results in " + std::to_string(result.runs) + " runs"};
  }
  // The process that probes again is a fresh one, with the same inputs.
  if (contains(scopes, Scope::process) && !digest_before.empty() && !check.output_digest.empty() && digest_before != check.output_digest)
    return Strike{case_id, Scope::process, "a fresh process gave " + check.output_digest + " instead of " + digest_before};
  return std::nullopt;
}

Result<CheckedPolicies> choose_and_check(const std::vector<Policy>& policies, const std::vector<ComparisonInfo>& comparisons,
                                         const std::vector<Record>& records, const std::map<std::string, std::string>& target,
                                         const ProbeAgain& probe_again, const std::function<bool()>& time_is_over) {
  const Choices choices(comparisons, records);
  std::map<std::string, std::string> digests;
  for (const auto& record : records) digests[record.id] = record.output_digest;
  std::map<std::string, Checked> checked;
  std::vector<Strike> struck;
  std::vector<Candidate> candidates;
  bool over = false;
  for (bool again = true; again;) {
    again = false;
    candidates.clear();
    for (const auto& policy : policies) candidates.push_back(choices.choose(policy, struck));
    // What has to be probed, in every scope that any of the policies demands, most of the networks' time first.
    struct Todo {
      std::vector<Scope> scopes;
      double weight_s = 0;
    };
    std::map<std::string, Todo> todo;
    for (std::size_t p = 0; p < policies.size(); ++p)
      for (const auto& pick : candidates[p].picks) {
        if (!promises(policies[p], pick)) continue;
        auto& entry = todo[pick.id()];
        for (const auto scope : policies[p].demand.scopes)
          if (!contains(entry.scopes, scope)) entry.scopes.push_back(scope);
        entry.weight_s = std::max(entry.weight_s, pick.median_s * static_cast<double>(pick.uses));
      }
    std::vector<std::pair<std::string, Todo>> order(todo.begin(), todo.end());
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second.weight_s > b.second.weight_s; });
    for (const auto& [id, entry] : order) {
      const auto known = checked.find(id);
      if (known != checked.end() && holds(known->second.scopes, entry.scopes)) continue;
      if (over || (over = time_is_over())) break;
      auto check = probe_again(id, entry.scopes);
      if (!check) return tl::unexpected(check.error());
      // Each scope that failed is a strike of its own: an arm may lose `partition` and keep `run_to_run`.
      auto scopes = entry.scopes;
      while (const auto failed = failure_of(id, *check, scopes, digests[id])) {
        if (std::find(struck.begin(), struck.end(), *failed) == struck.end()) struck.push_back(*failed), again = true;
        if (!failed->scope) break;
        std::erase(scopes, *failed->scope);
      }
      checked[id] = {entry.scopes, std::move(*check)};
    }
  }

  CheckedPolicies result;
  for (std::size_t p = 0; p < policies.size(); ++p) {
    auto& candidate = candidates[p];
    PolicyInfo info;
    info.name = policies[p].name;
    info.demand = policies[p].demand.name;
    info.meaning = policies[p].meaning();
    info.activation_layout = candidate.selection.activation_layout;
    info.problems = candidate.picks.size();
    info.layers = candidate.layers;
    info.layers_met = candidate.layers_met;
    info.layers_s = candidate.total_s;
    info.fastest_layers_s = candidate.fastest_s;
    info.unmet = candidate.unmet;
    for (const auto& pick : candidate.picks) {
      if (!promises(policies[p], pick)) continue;
      const auto known = checked.find(pick.id());
      if (known != checked.end() && holds(known->second.scopes, policies[p].demand.scopes)) {
        ++info.probed_again, ++info.held;
        result.notes[pick.id()] = note_of(known->second.check);
      } else {
        ++info.not_probed_again;
        result.notes.emplace(pick.id(), out_of_time);
      }
    }
    for (const auto& strike : struck) {
      const bool concerns = !strike.scope || contains(policies[p].demand.scopes, *strike.scope);
      if (!concerns || policies[p].demand.scopes.empty()) continue;
      info.struck.push_back({strike.id, strike.scope ? std::string(to_text(*strike.scope)) : "", strike.reason});
      ++info.probed_again;
    }
    for (const auto& strike : struck)
      result.notes[strike.id] = "struck when probed again" + (strike.scope ? " (" + std::string(to_text(*strike.scope)) + ")" : std::string()) + ": " + strike.reason;
    result.infos.push_back(std::move(info));
    if (candidate.selection.rules() == 0) continue;  // nothing was measured to choose from
    candidate.selection.target = target;
    result.selections.push_back(std::move(candidate.selection));
  }
  return result;
}

Status write_policies(const std::vector<Selection>& selections, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return failure("'" + directory.string() + "' cannot be made: " + error.message());
  for (const auto& selection : selections)
    if (auto written = write_whole_file(directory / policy_file_name(selection.name), write_selection(selection), true); !written) return written;
  return {};
}

}  // namespace detbench
