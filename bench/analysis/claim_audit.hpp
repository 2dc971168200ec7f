// The claim audit (METHOD section 4): per algorithm what its vendor claims, on what grounds and how far, beside what was
// observed, with the evidence.
#pragma once

#include <string>
#include <vector>

#include "bench/analysis/tables.hpp"

namespace detbench::analysis {

/// Whether other bits were seen in a scope, there or in `repeat` already.
inline bool differs(const ScopeResult& scope) {
  return scope.verdict == ScopeVerdict::differs || scope.verdict == ScopeVerdict::already_differs;
}
/// A vendor that names a source and guarantees nothing has said that bits may differ.
inline bool is_declared_nondeterministic(const Claim& claim) { return claim.guarantee == Guarantee::not_guaranteed && !claim.source.empty(); }

/// What became of an algorithm's claim over all its cases, in the order in which people ask.
enum class AuditVerdict {
  broken,              ///< a difference inside the claim's coverage
  differs_not_claimed, ///< differences where nobody claimed anything: no claim at all, or a scope that it does not cover
  declared_unseen,     ///< the vendor calls it nondeterministic; no run differed
  declared_and_seen,   ///< the vendor calls it nondeterministic, and it is
  held,                ///< the claim held in the runs made
  silent,              ///< nobody claims anything, and no run differed
  untested,            ///< nothing that could tell was run, or controls were not caught
};
inline constexpr AuditVerdict all_audit_verdicts[] = {
    AuditVerdict::broken, AuditVerdict::differs_not_claimed, AuditVerdict::declared_unseen, AuditVerdict::declared_and_seen,
    AuditVerdict::held,   AuditVerdict::silent,              AuditVerdict::untested};
/// "claim broken", "differs, not claimed", "called nondeterministic, never seen to differ", ...
std::string_view to_text(AuditVerdict verdict);

/// What one scope showed over the cases of an algorithm.
struct AuditScope {
  Scope scope = Scope::repeat;
  bool covered = false;          ///< the claim speaks about it
  std::size_t differing = 0;     ///< cases
  std::size_t without_difference = 0;
  std::size_t untested = 0;
  std::uint64_t runs = 0;        ///< over the cases that were tested: runs, or configurations
};

/// One algorithm under one claim: `provider:engine` without knob values and options, because a claim speaks of the engine.
struct AuditRow {
  std::string tag;               ///< of the file, when there are several
  std::string op, algorithm;
  Claim claim;
  AuditVerdict verdict = AuditVerdict::untested;
  std::size_t cases = 0;         ///< rows that ran
  std::vector<AuditScope> scopes;
  const Record* evidence = nullptr;       ///< the case that shows the verdict best
  const ScopeResult* evidence_scope = nullptr;  ///< where it differed; nullptr: no difference
};

/// Rows of all files, verdicts in the order above, then by the scope of the evidence, op and algorithm. Points into `files`. Rows that did not run
/// (unsupported, skipped) are no evidence and are left out; incorrect ones too: their bits mean nothing.
std::vector<AuditRow> audit_claims(const std::vector<ResultFile>& files);

/// "declared nondeterministic: <source>", "run_to_run: <source>; covers repeat, process", "none".
std::string claim_sentence(const Claim& claim);
/// The witness in words, or in how many runs nothing differed and what that bounds.
std::string evidence_sentence(const AuditRow& row);

Table audit_table(const std::vector<AuditRow>& rows);

}  // namespace detbench::analysis
