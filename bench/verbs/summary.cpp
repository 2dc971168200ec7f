#include "bench/verbs/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bench/verbs/verbs.hpp"

namespace detbench {

void print_summary(const ResultFile& result) {
  std::map<std::string, std::size_t> by_status;
  for (const auto& record : result.records) ++by_status[std::string(to_text(record.status))];
  std::string statuses;
  for (const auto& [status, count] : by_status) statuses += fmt::format("{}{} {}", statuses.empty() ? "" : ", ", count, status);
  fmt::print("{} cases in {} comparisons: {} ({:.0f} s)\n", result.records.size(), result.comparisons.size(), statuses, result.elapsed_s);
  if (!result.profile.search.empty()) fmt::print("  tiers of configurations that were searched: {}\n", result.profile.search);
  for (Scope scope : all_scopes) {
    std::map<ScopeVerdict, std::size_t> verdicts;
    for (const auto& record : result.records)
      for (const auto& s : record.agreement)
        if (s.scope == scope) ++verdicts[s.verdict];
    const auto seen = verdicts[ScopeVerdict::differs] + verdicts[ScopeVerdict::already_differs];
    if (seen + verdicts[ScopeVerdict::no_difference] + verdicts[ScopeVerdict::untested] == 0) continue;
    fmt::print("  {:<10} {} differ, {} without a difference, {} untested\n", to_text(scope), seen, verdicts[ScopeVerdict::no_difference],
               verdicts[ScopeVerdict::untested]);
  }
  const auto expected = std::count_if(result.controls.begin(), result.controls.end(), [](const ControlResult& c) { return c.as_expected; });
  fmt::print("  {} of {} controls as expected\n", expected, result.controls.size());
  for (const auto& control : result.controls)
    if (!control.as_expected) fmt::print("  control {} ({}): {}\n", control.name, to_text(control.scope), control.note);
  const auto worst = [](RunStatus status) {
    return status == RunStatus::incorrect || status == RunStatus::crashed || status == RunStatus::timed_out || status == RunStatus::out_of_memory;
  };
  std::size_t shown = 0;
  for (const auto& record : result.records) {
    if (!worst(record.status) || ++shown > 10) continue;
    fmt::print("  {} {}: {}\n    {}\n", to_text(record.status), record.id, record.reason, record.replay);
  }
  if (shown > 10) fmt::print("  and {} more like these: see the result file\n", shown - 10);
}

int exit_code(const ResultFile& result, bool strict) {
  const auto any = [&](auto condition) { return std::any_of(result.records.begin(), result.records.end(), condition); };
  if (any([](const Record& r) { return r.status == RunStatus::incorrect; })) return exit_wrong;
  if (strict && any([](const Record& r) { return r.claim_verdict == ClaimVerdict::broken; })) return exit_wrong;
  // Controls alone were asked for.
  if (result.records.empty() && std::any_of(result.controls.begin(), result.controls.end(), [](const ControlResult& c) { return c.runs > 0; })) return exit_ok;
  // A row that crashed is recorded, and the sweep went on; only when nothing at all ran could this run not be done.
  if (any([](const Record& r) { return r.status == RunStatus::ok; })) return exit_ok;
  if (any([](const Record& r) { return r.status == RunStatus::crashed || r.status == RunStatus::timed_out || r.status == RunStatus::out_of_memory; }))
    return exit_cannot_run;
  return exit_skipped;
}

}  // namespace detbench
