// Two train steps side by side from the same weights: at which step and op they part, and how the difference then grows
// (METHOD section 11, bench/records/divergence.hpp).
#pragma once

#include "bench/core/probe.hpp"
#include "bench/records/record.hpp"

namespace detbench {

struct DivergenceRequest {
  std::string question;
  Problem problem;                      ///< of a train step
  Algorithm a, b;                       ///< without the option "steps": both make one step at a time
  DeviceConfiguration configuration_a, configuration_b;
  std::string load;                     ///< stressor that runs while b makes its steps, and not while a does; empty: none
  std::uint32_t steps = 8;
  double limit_s = 20;                  ///< no step begins after so long
  std::uint64_t byte_budget = std::uint64_t{4} << 30;  ///< of parameters compared, both sides together; points beyond it are left out
  Inputs inputs;
};
Json to_json(const DivergenceRequest& request);
Result<DivergenceRequest> read_divergence_request(const Json& json);

/// 1, 2, 3, 5, 8, ... up to `steps`, and `steps` itself.
std::vector<std::uint32_t> compared_steps(std::uint32_t steps);

/// Runs both in this process, a step of a and a step of b by turns. Until they part every op's outputs are digested, which waits
/// after each op: a race that needs ops to overlap could hide from it, so the first step comes from the step's own outputs, and
/// an op is named only when one was seen. Errors: an arm that cannot be prepared or run, naming it.
///
/// Churn is that of the batch itself: the predictions of each step's forward pass in training mode, before its update.
Result<Divergence> measure_divergence(const Registry& registry, const DivergenceRequest& request, const MakeDevice& make_device);

/// The questions that a run asks of the train steps in `records` that are ok, in smoke and quick of the first problem alone: does load part a policy
/// from itself, do thread counts, does fixed order part from the fastest.
std::vector<DivergenceRequest> divergence_questions(const std::vector<Record>& records, const std::string& backend, int threads,
                                                    const std::string& profile, std::uint64_t seed);

}  // namespace detbench
