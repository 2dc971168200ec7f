#include "bench/policy/policy.hpp"

#include <algorithm>
#include <charconv>

namespace detbench {
namespace {

constexpr std::string_view observed_prefix = "fastest_observed:", claimed_prefix = "fastest_claimed:", budget_prefix = "budget:";

const ScopeResult* result_of(const Record& record, Scope scope) {
  const auto found = std::find_if(record.agreement.begin(), record.agreement.end(), [&](const ScopeResult& r) { return r.scope == scope; });
  return found == record.agreement.end() ? nullptr : &*found;
}

bool asks_nothing(const Record& record, Scope scope) {
  const auto* result = result_of(record, scope);
  return scope == Scope::batch && result != nullptr && result->verdict == ScopeVerdict::not_applicable;
}

std::string demand_names() {
  std::string names;
  for (const auto& demand : demands())
    if (!demand.scopes.empty()) names += (names.empty() ? "" : ", ") + demand.name;
  return names;
}

/// One budget has one spelling: no sign, no exponent, no leading or trailing zeros.
std::optional<double> parse_percent(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-' || !(value >= 0) || value > 1000) return std::nullopt;
  char shortest[64];
  const auto written = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::fixed);
  if (std::string_view(shortest, static_cast<std::size_t>(written.ptr - shortest)) != text) return std::nullopt;
  return value;
}

}  // namespace

const std::vector<Demand>& demands() {
  static const std::vector<Demand> all{{"none", {}},
                                       {"run_to_run", {Scope::repeat, Scope::process, Scope::load}},
                                       {"partition", {Scope::repeat, Scope::process, Scope::load, Scope::partition}},
                                       {"batch", {Scope::repeat, Scope::process, Scope::load, Scope::batch}}};
  return all;
}

Result<Demand> parse_demand(std::string_view name) {
  for (const auto& demand : demands())
    if (demand.name == name) return demand;
  return invalid_input("'" + std::string(name.substr(0, 60)) + "' is no demand: none, " + demand_names() + " are");
}

std::string Policy::meaning() const {
  switch (kind) {
    case PolicyKind::fastest: return "the fastest arm per layer, whatever its bits do";
    case PolicyKind::observed: return "the fastest arm per layer that showed no difference under " + demand.name;
    case PolicyKind::claimed: return "the fastest arm per layer whose claim covers " + demand.name + ", whatever was observed";
    case PolicyKind::budget: break;
  }
  return "as many layers under " + demand.name + " as " + name.substr(budget_prefix.size(), name.find('%') + 1 - budget_prefix.size()) + " over fastest pays for";
}

Result<Policy> parse_policy(std::string_view name) {
  const std::string text(name.substr(0, 100));
  Policy policy;
  policy.name = std::string(name);
  const auto with_demand = [&](PolicyKind kind, std::string_view demand) -> Result<Policy> {
    auto parsed = parse_demand(demand);
    if (!parsed) return invalid_input("policy '" + text + "': " + parsed.error().text);
    if (parsed->scopes.empty()) return invalid_input("policy '" + text + "' demands nothing: " + demand_names() + " are demands, and `fastest` is the policy without one");
    policy.kind = kind;
    policy.demand = std::move(*parsed);
    return policy;
  };
  if (name == "fastest") {
    policy.demand = demands().front();
    return policy;
  }
  if (name.starts_with(observed_prefix)) return with_demand(PolicyKind::observed, name.substr(observed_prefix.size()));
  if (name.starts_with(claimed_prefix)) return with_demand(PolicyKind::claimed, name.substr(claimed_prefix.size()));
  if (name.starts_with(budget_prefix)) {
    const auto rest = name.substr(budget_prefix.size());
    const auto percent = rest.find('%');
    const auto value = percent == std::string_view::npos ? std::nullopt : parse_percent(rest.substr(0, percent));
    if (!value || (percent + 1 < rest.size() && rest[percent + 1] != ':'))
      return invalid_input("policy '" + text + "' has no budget: it should read budget:10% or budget:2.5%:run_to_run, from 0% to 1000%");
    policy.budget_percent = *value;
    // One policy has one name: partition is what a budget buys unless it says otherwise.
    if (percent + 1 == rest.size()) return with_demand(PolicyKind::budget, "partition");
    if (rest.substr(percent + 2) == "partition") return invalid_input("policy '" + text + "' is written budget:" + std::string(rest.substr(0, percent + 1)) + ": partition is what a budget buys");
    return with_demand(PolicyKind::budget, rest.substr(percent + 2));
  }
  return invalid_input("'" + text + "' is no policy that is made from measurements: fastest, fastest_observed:DEMAND, fastest_claimed:DEMAND and budget:X%[:DEMAND] are, with DEMAND one of " + demand_names());
}

std::vector<Policy> policies_of_profile(std::string_view profile) {
  std::vector<const char*> names{"fastest", "fastest_observed:run_to_run", "fastest_observed:partition"};
  if (profile != "smoke") names.push_back("budget:10%");
  if (profile == "standard" || profile == "full")
    for (const char* more : {"fastest_observed:batch", "fastest_claimed:run_to_run", "budget:2%", "budget:50%"}) names.push_back(more);
  std::vector<Policy> policies;
  for (const char* name : names) policies.push_back(*parse_policy(name));
  return policies;
}

std::string policy_file_name(const std::string& policy) {
  std::string name = policy;
  std::replace(name.begin(), name.end(), ':', '.');
  return name + ".json";
}

bool meets(const Record& record, const Demand& demand) {
  return std::all_of(demand.scopes.begin(), demand.scopes.end(), [&](Scope scope) {
    const auto* result = result_of(record, scope);
    return (result != nullptr && result->verdict == ScopeVerdict::no_difference) || asks_nothing(record, scope);
  });
}

bool claims(const Record& record, const Demand& demand) {
  if (record.claim.guarantee == Guarantee::not_guaranteed && !demand.scopes.empty()) return false;
  return std::all_of(demand.scopes.begin(), demand.scopes.end(),
                     [&](Scope scope) { return record.claim.covers(scope) || asks_nothing(record, scope); });
}

}  // namespace detbench
