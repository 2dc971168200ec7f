// Controls (METHOD section 5) as an operation like any other, so that they pass through the very machinery they test:
// op "control", problem "control/n65536/f32_f32_strict/vector", provider "control", one algorithm per control:
//   contended_atomics       repeat and load: at least 3 partials per target meet in completion order
//   address_order           process: a sum whose order is drawn from the process's address layout
//   address_peel            placement: a sum whose peel depends on the address of its input
//   partial_per_thread      partition: one partial per thread
//   integer_accumulation    negative: integers added atomically in any order; if it differs, the run aborts
#pragma once

#include <memory>
#include <vector>

#include "bench/core/measurement.hpp"
#include "kernels/op.hpp"

namespace detbench {

std::unique_ptr<Operation> make_control_operation();

struct ControlCase {
  const char* algorithm;
  Scope scope;
  bool positive;
};
/// Every (control, scope) that is watched on a CPU.
const std::vector<ControlCase>& control_cases();

/// Turns `no_difference` of scopes whose positive control was not caught into `untested`. An observed difference
/// always stands.
void apply_controls(const std::vector<struct ControlVerdict>& verdicts, std::vector<ScopeResult>& agreement);
struct ControlVerdict {
  Scope scope;
  bool caught;
};

}  // namespace detbench
