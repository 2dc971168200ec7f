// The words that charts and tables share. What was observed is never called deterministic (METHOD section 3).
#include <fmt/format.h>

#include <algorithm>

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
    case ScopeVerdict::differs: return fmt::format("differs: {} distinct in {} {}, the baseline included", r.distinct, r.runs + 1, of);
    case ScopeVerdict::already_differs: return "already differs in repeat";
    case ScopeVerdict::untested: return r.reason.empty() ? "untested" : "untested: " + r.reason;
    case ScopeVerdict::not_applicable: return r.reason.empty() ? "not applicable" : "not applicable: " + r.reason;
    case ScopeVerdict::not_measured: return r.reason.empty() ? "not measured" : "not measured: " + r.reason;
  }
  return "";
}

std::string scope_words(const Record& record, const ScopeResult& result) {
  if (const auto why = cannot_show(record); !why.empty() && result.verdict == ScopeVerdict::no_difference)
    return "no difference seen, and none can show: " + why;
  return scope_words(result);
}

std::string policy_name(const ArmView& arm) {
  const auto name = arm.algorithm.substr(arm.algorithm.find(':') + 1);
  const auto at = name.find('@');
  if (at == std::string::npos) return name;
  std::string options;
  for (std::size_t from = at + 1; from <= name.size();) {
    const auto end = std::min(name.find(',', from), name.size());
    const auto option = name.substr(from, end - from);
    if (option.rfind("steps=", 0) != 0) options += (options.empty() ? "@" : ",") + option;
    from = end + 1;
  }
  return name.substr(0, at) + options;
}

bool is_train_step(const ComparisonView& view) {
  return view.suite == "train_step" || view.op.rfind("train_step", 0) == 0;
}

bool is_network(const ComparisonView& view) {
  return is_train_step(view) || view.suite == "inference" || view.op.rfind("inference_", 0) == 0;
}

bool is_reduction(const ComparisonView& view) {
  static constexpr std::string_view ops[] = {"sum", "dot", "segmented_sum", "scatter_add", "index_add", "weighted_histogram", "resize_bilinear_bwd", "bias_grad"};
  return view.suite == "reduction" || view.suite == "scatter_add" || std::find(std::begin(ops), std::end(ops), view.op) != std::end(ops);
}

}  // namespace detbench::analysis
