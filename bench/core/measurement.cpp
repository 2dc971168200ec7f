#include "bench/core/measurement.hpp"

#include <span>
#include <utility>

namespace detbench {
namespace {

template <class E>
using Names = std::span<const std::pair<E, std::string_view>>;

template <class E>
std::string_view text_of(Names<E> names, E value) {
  for (const auto& [e, text] : names)
    if (e == value) return text;
  return names.front().second;
}

template <class E>
std::optional<E> value_of(Names<E> names, std::string_view text) {
  for (const auto& [e, name] : names)
    if (name == text) return e;
  return std::nullopt;
}

constexpr std::pair<RunStatus, std::string_view> run_status_names[] = {
    {RunStatus::ok, "ok"},           {RunStatus::skipped, "skipped"},     {RunStatus::unsupported, "unsupported"},
    {RunStatus::incorrect, "incorrect"}, {RunStatus::crashed, "crashed"}, {RunStatus::timed_out, "timed_out"},
    {RunStatus::out_of_memory, "out_of_memory"}};
constexpr std::pair<ScopeVerdict, std::string_view> scope_verdict_names[] = {
    {ScopeVerdict::no_difference, "no_difference"},     {ScopeVerdict::differs, "differs"},
    {ScopeVerdict::already_differs, "already_differs"}, {ScopeVerdict::untested, "untested"},
    {ScopeVerdict::not_applicable, "not_applicable"},   {ScopeVerdict::not_measured, "not_measured"}};
constexpr std::pair<ClaimVerdict, std::string_view> claim_verdict_names[] = {{ClaimVerdict::none, "none"},
                                                                             {ClaimVerdict::held_in_n, "held_in_n"},
                                                                             {ClaimVerdict::broken, "broken"},
                                                                             {ClaimVerdict::untested, "untested"}};

}  // namespace

std::string_view to_text(RunStatus s) { return text_of<RunStatus>(run_status_names, s); }
std::string_view to_text(ScopeVerdict v) { return text_of<ScopeVerdict>(scope_verdict_names, v); }
std::string_view to_text(ClaimVerdict v) { return text_of<ClaimVerdict>(claim_verdict_names, v); }
std::optional<RunStatus> parse_run_status(std::string_view t) { return value_of<RunStatus>(run_status_names, t); }
std::optional<ScopeVerdict> parse_scope_verdict(std::string_view t) { return value_of<ScopeVerdict>(scope_verdict_names, t); }
std::optional<ClaimVerdict> parse_claim_verdict(std::string_view t) { return value_of<ClaimVerdict>(claim_verdict_names, t); }

}  // namespace detbench
