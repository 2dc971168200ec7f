// The worker's side: answers the parent's requests until the channel closes.
#pragma once

#include <functional>

#include "bench/workers/channel.hpp"
#include "bench/workers/messages.hpp"

namespace detbench {

struct ServeHooks {
  /// What an op reports beyond agreement and time (a train step's breakdown); called after an arm was probed.
  std::function<std::optional<TrainStepFacts>(const Problem&, const Algorithm&, const Inputs&, Device&)> train_step_facts;
  MakeDevice make_device;
  /// Answers a "diverge" request with a Divergence; empty: this worker knows no train steps.
  std::function<Result<Json>(const Json& request)> diverge;
  /// Answers an "ablate" request with a row of an Ablation; empty: this worker trains nothing.
  std::function<Result<Json>(const Json& request)> ablate;
};

/// Returns the process's exit code.
int serve(LineChannel& channel, const Registry& registry, const ServeHooks& hooks);

}  // namespace detbench
