// What became of a claim: METHOD section 4.
#include "bench/core/probe.hpp"

namespace detbench {

ClaimVerdict judge_claim(const Claim& claim, const std::vector<ScopeResult>& agreement) {
  if (claim.guarantee == Guarantee::not_guaranteed || claim.source.empty()) return ClaimVerdict::none;
  bool held = false;
  for (const auto& scope : agreement) {
    if (!claim.covers(scope.scope)) continue;
    // Bits that already differ in `repeat` differ here too, whether or not `repeat` itself is covered.
    if (scope.verdict == ScopeVerdict::differs || scope.verdict == ScopeVerdict::already_differs) return ClaimVerdict::broken;
    held = held || scope.verdict == ScopeVerdict::no_difference;
  }
  return held ? ClaimVerdict::held_in_n : ClaimVerdict::untested;
}

}  // namespace detbench
