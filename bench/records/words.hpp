// Every value of the enumerations that a result file spells as words, in the order of their declaration.
#pragma once

#include <array>

#include "bench/core/measurement.hpp"

namespace detbench::records {

inline constexpr std::array all_run_statuses{RunStatus::ok,           RunStatus::skipped, RunStatus::unsupported,
                                             RunStatus::incorrect,    RunStatus::crashed, RunStatus::timed_out,
                                             RunStatus::out_of_memory};
inline constexpr std::array all_scope_verdicts{ScopeVerdict::no_difference,   ScopeVerdict::differs,
                                               ScopeVerdict::already_differs, ScopeVerdict::untested,
                                               ScopeVerdict::not_applicable,  ScopeVerdict::not_measured};
inline constexpr std::array all_claim_verdicts{ClaimVerdict::none, ClaimVerdict::held_in_n, ClaimVerdict::broken,
                                               ClaimVerdict::untested};
inline constexpr std::array all_guarantees{Guarantee::not_guaranteed, Guarantee::run_to_run, Guarantee::gpu_to_gpu};

}  // namespace detbench::records
