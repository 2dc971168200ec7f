// Controls (METHOD section 5) as an operation like any other, so that they pass through the very machinery they test:
// op "control", problem "control/n65536/f32_f32_strict/vector", provider "control". The input is one vector of n floats
// (n a multiple of 1024), the output one float per 1024 of them, their sum. One algorithm per control:
//   contended_atomics           repeat and load: at least 3 partials per target meet in completion order
//   delayed_atomics             repeat and load, GPU: the same, each block held back for a time drawn from the clock, so that
//                               the order differs whatever the scheduler does (on a CPU contended_atomics sleeps already)
//   address_order               process: a sum whose order is drawn from the process's address layout
//   address_peel                placement: a sum whose peel depends on the address of its input
//   partial_per_thread          partition, CPU: one partial per thread
//   partial_per_multiprocessor  partition, GPU: one partial per multiprocessor of the SM-count target
//   parallel_branches           capture, GPU: two branches of a graph into one accumulator
//   split_by_batch              batch: a split chosen by the number of targets
//   integer_accumulation        negative: integers added atomically in any order; if it differs, the run aborts
// The batch of a control is its targets.
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
/// Every (control, scope) that is watched on this kind of device.
const std::vector<ControlCase>& control_cases(DeviceKind kind);

struct ControlVerdict {
  Scope scope;
  bool caught;
};
/// Whether the scope showed any difference of the control, be it `differs` or `already_differs`.
bool control_caught(const ScopeResult& result);
/// Turns `no_difference` of scopes whose positive control was not caught into `untested`. An observed difference
/// always stands. A scope is trusted when any of its verdicts was caught, and left alone when it has none.
void apply_controls(const std::vector<ControlVerdict>& verdicts, std::vector<ScopeResult>& agreement);

/// Whether the kernel gives each process another address layout (/proc/sys/kernel/randomize_va_space); a reason with the
/// remedy when it does not, for then `address_order` cannot be caught and scope `process` stays untested.
Status address_layout_is_random();

}  // namespace detbench
