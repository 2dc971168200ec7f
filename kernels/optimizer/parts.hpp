// How an optimizer's plan is made, on the CPU and on a GPU.
#pragma once

#include "kernels/optimizer/optimizer.hpp"
#include "kernels/optimizer/update.hpp"
#include "kernels/simple_operation.hpp"
#include "kernels/training/pieces.hpp"

namespace detbench::optimizer {

/// What a plan is asked for. Without a table the rates are `given`, and rates and step are no inputs.
struct Request {
  std::vector<std::int64_t> elements;
  std::vector<bool> decayed;
  OptimizerSpec spec;
  bool loss_scaled = false;
  std::int64_t table_steps = 0;
  StepRates given{0, 0, 1, false};
  std::size_t count() const { return elements.size(); }
};

/// Calls f with the rule of a spec.
template <class F>
auto with_rule(const OptimizerSpec& spec, F&& f) {
  const auto momentum = static_cast<float>(spec.momentum), rho = static_cast<float>(spec.rho), one_minus_rho = static_cast<float>(1.0 - spec.rho),
             epsilon = static_cast<float>(spec.epsilon), a = static_cast<float>(1.0 - spec.beta1), b = static_cast<float>(1.0 - spec.beta2);
  const bool moves = spec.momentum > 0;
  switch (spec.kind) {
    case OptimizerSpec::rmsprop:
      if (spec.centered) return moves ? f(RmsProp<true, true>{momentum, rho, one_minus_rho, epsilon}) : f(RmsProp<false, true>{momentum, rho, one_minus_rho, epsilon});
      return moves ? f(RmsProp<true, false>{momentum, rho, one_minus_rho, epsilon}) : f(RmsProp<false, false>{momentum, rho, one_minus_rho, epsilon});
    case OptimizerSpec::adam: return spec.amsgrad ? f(Adam<true>{a, b, epsilon}) : f(Adam<false>{a, b, epsilon});
    default:
      if (!moves) return f(Sgd<false, false>{momentum});
      return spec.nesterov ? f(Sgd<true, true>{momentum}) : f(Sgd<true, false>{momentum});
  }
}

/// The inputs behind gradients, weights and slots.
inline RateSource source_of(const Request& request, int slots, std::span<const Tensor> inputs) {
  RateSource source{request.given};
  std::size_t next = (2 + static_cast<std::size_t>(slots)) * request.count();
  if (request.table_steps > 0) {
    source.table = static_cast<const float*>(inputs[next++].region.data);
    source.step = static_cast<const std::int32_t*>(inputs[next++].region.data);
    source.table_steps = request.table_steps;
  }
  if (request.loss_scaled) {
    source.loss_scale = static_cast<const float*>(inputs[next++].region.data);
    source.finite = static_cast<const std::int32_t*>(inputs[next++].region.data);
  }
  return source;
}

/// Inputs, outputs and the CPU's `run`.
SimplePlanParts cpu_parts(const Request& request);
/// The GPU's instead of `run`; a reason where the build has no CUDA.
Result<SimplePlanParts> cuda_parts(SimplePlanParts parts, const Request& request, Device& device);
/// One of the two.
Result<SimplePlanParts> parts_on(const Request& request, Device& device);

}  // namespace detbench::optimizer
