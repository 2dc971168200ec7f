// What an arm's rows say about its bits, condensed: tiers for an axis, states for a demand.
#include <algorithm>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {
namespace {

bool differs(const Record& record, Scope scope) {
  const auto* result = find_scope(record, scope);
  return result && (result->verdict == ScopeVerdict::differs || result->verdict == ScopeVerdict::already_differs);
}

/// Seen without a difference, or a scope that has no meaning here.
bool is_settled(const Record& record, Scope scope) {
  const auto* result = find_scope(record, scope);
  return result && (result->verdict == ScopeVerdict::no_difference || result->verdict == ScopeVerdict::not_applicable);
}

}  // namespace

std::string_view to_text(Tier tier) {
  switch (tier) {
    case Tier::differs_run_to_run: return "differs from run to run";
    case Tier::differs_with_partition: return "differs with the partition";
    case Tier::differs_otherwise: return "differs with placement, capture or batch";
    case Tier::none_can_show: return "no difference seen, and none can show";
    case Tier::partly_untested: return "no difference, part untested";
    case Tier::no_difference: return "no difference in any scope tested";
  }
  return "";
}

std::string_view to_text(Demand demand) {
  switch (demand) {
    case Demand::nothing: return "nothing";
    case Demand::run_to_run: return "run to run";
    case Demand::partition: return "run to run and any partition";
  }
  return "";
}

const ScopeResult* find_scope(const Record& record, Scope scope) {
  for (const auto& result : record.agreement)
    if (result.scope == scope) return &result;
  return nullptr;
}

std::string cannot_show(const Record& record) {
  const auto found = record.notes.find("cannot_show");
  return found == record.notes.end() ? "" : found->second;
}

Tier tier_of(const Record& record) {
  for (const auto scope : {Scope::repeat, Scope::process, Scope::load})
    if (differs(record, scope)) return Tier::differs_run_to_run;
  if (differs(record, Scope::partition)) return Tier::differs_with_partition;
  for (const auto scope : {Scope::placement, Scope::capture, Scope::batch})
    if (differs(record, scope)) return Tier::differs_otherwise;
  if (!cannot_show(record).empty()) return Tier::none_can_show;
  // The scopes that a demand can name; the others are absent in some profiles without leaving a doubt.
  for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition})
    if (!is_settled(record, scope)) return Tier::partly_untested;
  return Tier::no_difference;
}

DemandState state_of(const Record& record, Demand demand) {
  std::vector<Scope> scopes;
  if (demand != Demand::nothing) scopes = {Scope::repeat, Scope::process, Scope::load};
  if (demand == Demand::partition) scopes.push_back(Scope::partition);
  for (const auto scope : scopes)
    if (differs(record, scope)) return DemandState::differs;
  // Nothing was learnt about the arm, so it cannot stand for one that meets a demand.
  if (demand != Demand::nothing && !cannot_show(record).empty()) return DemandState::untested;
  for (const auto scope : scopes)
    if (!is_settled(record, scope)) return DemandState::untested;
  return DemandState::met;
}

}  // namespace detbench::analysis
