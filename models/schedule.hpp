// Learning-rate schedules: the rate of every step, computed ahead on the host. + - * / alone and portable_math.hpp, so that
// a schedule has the same bits everywhere; what reaches a device is rounded to f32 once (rate_table()).
//
// With s the step from 0 on, r the rate, w the warm-up's steps:
//   constant      r
//   exponential   r * decay_rate^(s / decay_steps), the exponent rounded down if `staircase`: keras/src/optimizers/schedules,
//                 ExponentialDecay. Steps count from the beginning, warm-up included (tensorflow/tpu, efficientnet utils.py)
//   cosine        r * ((1 - floor) * (1 + cos(pi x)) / 2 + floor), x = (s - w) / decay_steps, at most 1: CosineDecay
// In the first w steps of each: linearly from `warmup_start` at step 0 towards r at step w.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

struct LearningRateSchedule {
  enum Kind { constant, exponential, cosine };
  Kind kind = constant;
  double rate = 0.01;
  std::int64_t warmup_steps = 0;
  double warmup_start = 0;
  double decay_rate = 0.97;  ///< exponential
  double decay_steps = 1;    ///< exponential, cosine: need not be whole
  bool staircase = true;     ///< exponential
  double floor = 0;          ///< cosine: the share of the rate that is left at the end
};

/// Rates of the first `steps` steps. Errors name the number that makes no sense.
Result<std::vector<double>> learning_rates(const LearningRateSchedule& schedule, std::int64_t steps);

/// The original EfficientNet's (tensorflow/tpu, models/official/efficientnet/main.py, utils.py): 0.016 for each 256 images of
/// the batch, times 0.97 every 2.4 epochs (staircase), warmed up over 5 epochs. `images_per_epoch` >= batch.
LearningRateSchedule efficientnet_schedule(std::int64_t batch, std::int64_t images_per_epoch);

}  // namespace detbench
