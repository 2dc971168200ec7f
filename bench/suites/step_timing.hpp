// One train step timed alone, for scripts that compare it with another program's: no probes, no schedule, no record. Who
// alternates the processes decides what is compared; what happens in one of them is the same on every side: k steps from
// the beginning for the bits, warm-up steps, timed steps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/op.hpp"
#include "models/training.hpp"

namespace detbench {

struct StepTimingSettings {
  std::uint32_t warm_up = 20;  ///< steps before the first timed one
  std::uint32_t steps = 30;    ///< timed samples
  std::uint32_t group = 1;     ///< steps per sample, enqueued one after the other and waited for once
  double seconds = 0;          ///< no more timed steps after this long, 5 at least; 0: no limit
  std::uint32_t profiled = 0;  ///< steps seen op by op afterwards; 0: none
};

struct StepTiming {
  std::string digest;           ///< of all outputs after the case's k steps from the beginning: losses, weights, slots, statistics
  int digest_steps = 0;         ///< k
  std::vector<double> step_s;   ///< each sample's time by its steps, in order
  double prepare_s = 0;         ///< planning, binding and filling
  std::uint64_t memory_bytes = 0;
  std::map<std::string, std::string> notes;  ///< of the plan: ops, reorders, fallbacks, arena
  std::vector<OpTime> ops;      ///< medians over the profiled steps
};

/// Unsupported where the case is no train step; else the reasons of its provider.
Result<StepTiming> time_train_step(const Registry& registry, const Problem& problem, const Algorithm& algorithm, const Inputs& inputs, Device& device,
                                   const StepTimingSettings& settings);

}  // namespace detbench
