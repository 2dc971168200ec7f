// Runs of plan_step_dropout, for tests on either device.
#pragma once

#include "kernels/dropout/step_dropout.hpp"
#include "tests/kernels/plan_bits.hpp"

namespace detbench::testing {

inline PlanRun step_dropout_run(const StepDropout& dropout, DataType type, std::int32_t step) {
  const Shape shape{dropout.samples * dropout.elements_per_sample};
  return {[=](Device& device) { return plan_step_dropout(dropout, type, device); },
          {filled_bytes({"src", type, shape, canonical_layout(shape)}, {FillSpec::Kind::normal, 3, "x", 1.0, 1, 1.0}), bytes_of(std::vector<std::int32_t>{step})}};
}

}  // namespace detbench::testing
