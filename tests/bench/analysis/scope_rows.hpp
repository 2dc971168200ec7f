// Agreement of hand-made rows, for tests of what is read out of them.
#pragma once

#include <cstdint>

#include "bench/records/record.hpp"

namespace detbench::analysis::scope_rows {

inline constexpr auto same = ScopeVerdict::no_difference, other = ScopeVerdict::differs;

/// A scope of one stage in which `differing` of `runs` gave other bits.
inline ScopeResult scope_row(Scope which, ScopeVerdict verdict, std::uint32_t runs, std::uint32_t differing = 0, std::uint32_t distinct = 1) {
  ScopeResult result;
  result.scope = which;
  result.verdict = verdict;
  result.runs = runs;
  result.distinct = distinct;
  result.stages.push_back({.name = "spinners", .runs = runs, .differing_runs = differing, .distinct = {}, .unavailable = ""});
  return result;
}

}  // namespace detbench::analysis::scope_rows
