// Google Benchmark as the runner inside the timing worker, and nothing else (METHOD section 7): a family per comparison
// and an instance per slot of our recorded schedule, manual time, one iteration, one repetition, our silent reporter,
// and one RunSpecifiedBenchmarks for the worker's whole life.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

struct TimedSlot {
  std::string family;  ///< slots in a row with one family are its instances, numbered from 0: "family/0", "family/1"
  std::string label;   ///< which arm and block; stands in Google Benchmark's output as the label
  /// Runs the slot and returns its elapsed seconds; a reason marks the slot as skipped in Google Benchmark's output.
  std::function<Result<double>()> run;
};

/// Runs the slots in their order. `arguments` are --benchmark_* flags that check_benchmark_flag accepted.
/// May be called once per process (a second call would truncate --benchmark_out).
Status run_slots(const std::vector<TimedSlot>& slots, const std::vector<std::string>& arguments);

/// Refuses the flags whose work is done by options of ours, in one line that says which; accepts the rest of Google
/// Benchmark's (--benchmark_out and its format). --benchmark_filter is translated by the verb before it comes here.
Status check_benchmark_flag(const std::string& flag);

}  // namespace detbench
