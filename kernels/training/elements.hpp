// The arithmetic of the train step's small ops, per element: the same code on the CPU and on a GPU, so that the bits are
// the same too.
#pragma once

#include <cstdint>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::training {

/// An exponent of ones: infinity or NaN. Integer arithmetic, so that no comparison's treatment of NaN matters.
DETBENCH_HOST_DEVICE inline bool is_not_finite(float x) { return (float_bits(x) & 0x7F800000u) == 0x7F800000u; }

/// statistics * momentum + batch * (1 - momentum): two products rounded, then their sum.
struct MovingAverage {
  float keep, rest;
  /// 1 - momentum is a Python float in Keras: computed in f64, rounded to f32 once.
  static MovingAverage of(double momentum) { return {static_cast<float>(momentum), static_cast<float>(1.0 - momentum)}; }
  DETBENCH_HOST_DEVICE float operator()(float moving, float batch) const { return moving * keep + batch * rest; }
};

/// What Keras's LossScaleOptimizer does after each step.
struct LossScaleRule {
  std::int32_t growth_steps;
  DETBENCH_HOST_DEVICE void operator()(std::int32_t finite, float& loss_scale, std::int32_t& good_steps) const {
    if (!finite) {
      loss_scale = loss_scale / 2.0f;
      good_steps = 0;
    } else if (good_steps == growth_steps - 1) {
      loss_scale = loss_scale * 2.0f;
      good_steps = 0;
    } else {
      good_steps = good_steps + 1;
    }
  }
};

}  // namespace detbench::training
