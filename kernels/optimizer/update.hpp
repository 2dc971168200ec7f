// The update of one weight: the same code for the CPU's loops and a GPU's threads, f32, every operation rounded, no fused
// multiply-add. The order of operations is that of Keras's expressions (optimizer.hpp), so that f32 Keras agrees up to the
// fusing that its compiler chooses.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::optimizer {

inline constexpr int most_slots = 3;

/// What one step multiplies with.
struct StepRates {
  float learning_rate;
  float alpha;            ///< adam's
  float gradient_factor;  ///< 1 / loss scale, a power of two: the product has the bits of the quotient. 1 without a scale, and exact
  bool skipped;           ///< the gradients are not finite
};

/// Where a step's numbers come from.
struct RateSource {
  StepRates given{};                  ///< without a table
  const float* table = nullptr;       ///< two per step
  const std::int32_t* step = nullptr;
  std::int64_t table_steps = 0;
  const float* loss_scale = nullptr;  ///< nullptr: gradients are not scaled
  const std::int32_t* finite = nullptr;
  DETBENCH_HOST_DEVICE StepRates read() const {
    StepRates rates = given;
    if (table) {
      std::int64_t at = *step;
      at = at < table_steps ? at : table_steps - 1;
      at = at > 0 ? at : 0;
      rates.learning_rate = table[2 * at], rates.alpha = table[2 * at + 1];
    }
    if (loss_scale) rates.gradient_factor = 1.0f / *loss_scale, rates.skipped = *finite == 0;
    return rates;
  }
};

template <bool Momentum, bool Nesterov>
struct Sgd {
  static constexpr int slots = Momentum ? 1 : 0;
  float momentum;
  DETBENCH_HOST_DEVICE void operator()(const StepRates& rates, float g, float& w, [[maybe_unused]] float* slot) const {
    if constexpr (!Momentum) {
      w = w - g * rates.learning_rate;
    } else {
      const float velocity = slot[0] * momentum - g * rates.learning_rate;
      slot[0] = velocity;
      w = w + (Nesterov ? velocity * momentum - g * rates.learning_rate : velocity);
    }
  }
};

template <bool Momentum, bool Centered>
struct RmsProp {
  static constexpr int slots = 1 + (Momentum ? 1 : 0) + (Centered ? 1 : 0);
  float momentum, rho, one_minus_rho, epsilon;
  DETBENCH_HOST_DEVICE void operator()(const StepRates& rates, float g, float& w, float* slot) const {
    const float velocity = rho * slot[0] + one_minus_rho * (g * g);
    slot[0] = velocity;
    float denominator = velocity;
    if constexpr (Centered) {
      const float average = rho * slot[slots - 1] + one_minus_rho * g;
      slot[slots - 1] = average;
      denominator = denominator - average * average;
    }
    const float increment = rates.learning_rate * g / std::sqrt(denominator + epsilon);
    if constexpr (Momentum) {
      slot[1] = momentum * slot[1] + increment;
      w = w - slot[1];
    } else {
      w = w - increment;
    }
  }
};

template <bool Amsgrad>
struct Adam {
  static constexpr int slots = Amsgrad ? 3 : 2;
  float one_minus_beta1, one_minus_beta2, epsilon;
  DETBENCH_HOST_DEVICE void operator()(const StepRates& rates, float g, float& w, float* slot) const {
    const float m = slot[0] + (g - slot[0]) * one_minus_beta1;
    float v = slot[1] + (g * g - slot[1]) * one_minus_beta2;
    slot[0] = m, slot[1] = v;
    if constexpr (Amsgrad) {
      v = slot[2] > v ? slot[2] : v;
      slot[2] = v;
    }
    w = w - m * rates.alpha / (std::sqrt(v) + epsilon);
  }
};

/// Decay, then the rule.
template <class Rule>
DETBENCH_HOST_DEVICE inline void update_weight(const Rule& rule, const StepRates& rates, bool decays, float weight_decay, float gradient, float& weight,
                                               float* slot) {
  if (decays) weight = weight - weight * weight_decay * rates.learning_rate;
  rule(rates, gradient * rates.gradient_factor, weight, slot);
}

}  // namespace detbench::optimizer
