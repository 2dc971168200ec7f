// A train step of the fp64 network: what follows the gradients.
#include <algorithm>
#include <cmath>

#include "models/reference_network.hpp"

namespace detbench {

ReferenceState ReferenceNetwork::initial_state(std::vector<Values> parameters) const {
  ReferenceState state;
  state.parameters = std::move(parameters);
  for (const auto& l : network_.layers)
    if (l.kind == LayerKind::batch_norm) state.moving.emplace_back(l.out.channels, 0.0), state.moving.emplace_back(l.out.channels, 1.0);
  return state;
}

void ReferenceNetwork::prepare(const TrainingSpec& spec, std::int64_t step) {
  smoothing_ = spec.label_smoothing;
  factors_ = spec.regularized ? dropout_factors(network_, batch_, spec.seeds, step) : DropoutFactors{};
}

double ReferenceNetwork::next_loss(const ReferenceState& state, const TrainingSpec& spec) {
  prepare(spec, state.steps);
  return loss(state.parameters);
}

void ReferenceNetwork::step(ReferenceState& state, const TrainingSpec& spec) {
  prepare(spec, state.steps);
  std::vector<Values> g;
  state.loss = gradients(state.parameters, g);
  update(state, g, spec);
  std::size_t m = 0;
  for (std::size_t i = 0; i < network_.layers.size(); ++i)
    if (network_.layers[i].kind == LayerKind::batch_norm)
      for (const auto* batch : {&means_[i], &variances_[i]}) {
        auto& moving = state.moving[m++];
        for (std::size_t c = 0; c < moving.size(); ++c) moving[c] = moving[c] * network_.momentum + (*batch)[c] * (1 - network_.momentum);
      }
  ++state.steps;
}

void ReferenceNetwork::update(ReferenceState& state, const std::vector<Values>& gradients, const TrainingSpec& spec) const {
  const auto& o = spec.optimizer;
  const auto names = optimizer_slot_names(o);
  const auto parameters = network_.parameters();
  const std::size_t n = parameters.size();
  if (state.slots.empty())
    for (std::size_t s = 0; s < names.size(); ++s)
      for (const auto& p : state.parameters) state.slots.emplace_back(p.size(), 0.0);
  const auto last = static_cast<std::int64_t>(spec.learning_rates.size()) - 1;
  const double rate = spec.learning_rates[std::min(state.steps, last)], t = static_cast<double>(state.steps + 1);
  const double alpha = rate * std::sqrt(1 - std::pow(o.beta2, t)) / (1 - std::pow(o.beta1, t));
  for (std::size_t p = 0; p < n; ++p) {
    const auto slot = [&](const char* name) -> double* {
      const auto at = std::find(names.begin(), names.end(), name);
      return at == names.end() ? nullptr : state.slots[static_cast<std::size_t>(at - names.begin()) * n + p].data();
    };
    double *velocity = slot("velocity"), *momentum = slot("momentum"), *average = slot("average_gradient"), *largest = slot("velocity_hat");
    const bool decays = o.weight_decay != 0 && (!spec.decay_kernels_only || parameters[p].role == "kernel");
    for (std::size_t j = 0; j < state.parameters[p].size(); ++j) {
      double& w = state.parameters[p][j];
      const double g = gradients[p][j];
      if (decays) w -= w * o.weight_decay * rate;
      switch (o.kind) {
        case OptimizerSpec::sgd:
          if (!velocity) {
            w -= g * rate;
            break;
          }
          velocity[j] = velocity[j] * o.momentum - g * rate;
          w += o.nesterov ? velocity[j] * o.momentum - g * rate : velocity[j];
          break;
        case OptimizerSpec::rmsprop: {
          velocity[j] = o.rho * velocity[j] + (1 - o.rho) * g * g;
          if (average) average[j] = o.rho * average[j] + (1 - o.rho) * g;
          const double centre = average ? average[j] * average[j] : 0;
          double change = rate * g / std::sqrt(velocity[j] - centre + o.epsilon);
          if (momentum) change = momentum[j] = o.momentum * momentum[j] + change;
          w -= change;
          break;
        }
        case OptimizerSpec::adam: {
          momentum[j] += (g - momentum[j]) * (1 - o.beta1);
          velocity[j] += (g * g - velocity[j]) * (1 - o.beta2);
          if (largest) largest[j] = std::max(largest[j], velocity[j]);
          w -= momentum[j] * alpha / (std::sqrt(largest ? largest[j] : velocity[j]) + o.epsilon);
          break;
        }
      }
    }
  }
}

}  // namespace detbench
