// The words that charts and tables share. What was observed is never called deterministic (METHOD section 3).
#include <fmt/format.h>

#include "bench/analysis/chart_data.hpp"

namespace detbench::analysis {

std::string claim_word(const Record& record) {
  if (record.claim_verdict == ClaimVerdict::broken) return "claim broken";
  if (record.claim.source.empty() || record.claim.guarantee == Guarantee::not_guaranteed) return "no claim";
  return "claims " + std::string(to_text(record.claim.guarantee));
}

std::string scope_words(const ScopeResult& r) {
  const char* of = is_sampling(r.scope) ? "runs" : "configurations";
  switch (r.verdict) {
    case ScopeVerdict::no_difference: return fmt::format("no difference in {} {}", r.runs, of);
    case ScopeVerdict::differs: return fmt::format("differs: {} distinct in {} {}", r.distinct, r.runs, of);
    case ScopeVerdict::already_differs: return "already differs in repeat";
    case ScopeVerdict::untested: return r.reason.empty() ? "untested" : "untested: " + r.reason;
    case ScopeVerdict::not_applicable: return r.reason.empty() ? "not applicable" : "not applicable: " + r.reason;
    case ScopeVerdict::not_measured: return r.reason.empty() ? "not measured" : "not measured: " + r.reason;
  }
  return "";
}

std::string policy_name(const ArmView& arm) {
  return arm.provider == "policy" ? arm.algorithm.substr(arm.provider.size() + 1) : arm.algorithm;
}

bool is_train_step(const ComparisonView& view) { return view.suite == "train_step" || view.op == "train_step"; }

bool is_reduction(const ComparisonView& view) {
  return view.suite == "reduction" || view.suite == "scatter_add" || view.op == "scatter_add";
}

}  // namespace detbench::analysis
