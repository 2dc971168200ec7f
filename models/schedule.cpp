#include "models/schedule.hpp"

#include <cmath>
#include <string>

#include "kernels/tensor/portable_math.hpp"

namespace detbench {
namespace {

constexpr double pi = 0x1.921fb54442d18p+1;

/// cos(pi x) for 0 <= x <= 1. The series hold for a quarter of a half turn: the distances to 1/2 and to 1 are exact in f64, so
/// no digit is lost on the way to them, and the ends and the middle are 1, 0 and -1.
double cos_pi(double x) {
  if (x <= 0.25) return portable::detail::cos_series(pi * x);
  if (x <= 0.75) return portable::detail::sin_series(pi * (0.5 - x));
  return -portable::detail::cos_series(pi * (1.0 - x));
}

/// base^exponent for a base above 0: by repeated squaring where the exponent is a whole number below 2^53, lowest bit first, else
/// through the logarithm.
double power(double base, double exponent) {
  if (exponent != std::floor(exponent) || exponent >= 0x1p53) return portable::exp(exponent * portable::log(base));
  double result = 1;
  for (auto n = static_cast<std::uint64_t>(exponent); n > 0; n /= 2) {
    if (n % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

double rate_at(const LearningRateSchedule& s, std::int64_t step) {
  if (step < s.warmup_steps) return (s.rate - s.warmup_start) * (static_cast<double>(step) / static_cast<double>(s.warmup_steps)) + s.warmup_start;
  switch (s.kind) {
    case LearningRateSchedule::exponential: {
      const double decays = static_cast<double>(step) / s.decay_steps;
      return s.rate * power(s.decay_rate, s.staircase ? std::floor(decays) : decays);
    }
    case LearningRateSchedule::cosine: {
      const double done = static_cast<double>(step - s.warmup_steps) / s.decay_steps, x = done < 1 ? done : 1.0;
      return s.rate * ((1 - s.floor) * (0.5 * (1 + cos_pi(x))) + s.floor);
    }
    default: return s.rate;
  }
}

Status check(const LearningRateSchedule& s) {
  const auto refuse = [](const char* what, double value, const char* right) {
    return invalid_input(std::string("a learning-rate schedule's ") + what + " is " + right + ", not " + std::to_string(value));
  };
  const auto at_least_zero = [](double x) { return x >= 0 && std::isfinite(x); };
  if (!at_least_zero(s.rate)) return refuse("rate", s.rate, "0 or above");
  if (!at_least_zero(s.warmup_start)) return refuse("start of the warm-up", s.warmup_start, "0 or above");
  if (s.warmup_steps < 0) return refuse("number of warm-up steps", static_cast<double>(s.warmup_steps), "0 or above");
  if (s.kind != LearningRateSchedule::constant && !(s.decay_steps > 0 && std::isfinite(s.decay_steps))) return refuse("number of decay steps", s.decay_steps, "above 0");
  if (s.kind == LearningRateSchedule::exponential && !(s.decay_rate > 0 && s.decay_rate <= 1)) return refuse("decay rate", s.decay_rate, "above 0 and at most 1");
  if (s.kind == LearningRateSchedule::cosine && !(s.floor >= 0 && s.floor <= 1)) return refuse("floor", s.floor, "a share from 0 to 1");
  return {};
}

}  // namespace

Result<std::vector<double>> learning_rates(const LearningRateSchedule& schedule, std::int64_t steps) {
  if (auto s = check(schedule); !s) return tl::unexpected(s.error());
  if (steps < 1) return invalid_input("a learning-rate schedule of " + std::to_string(steps) + " steps does not exist; 1 and more do");
  std::vector<double> rates;
  for (std::int64_t step = 0; step < steps; ++step) rates.push_back(rate_at(schedule, step));
  return rates;
}

LearningRateSchedule efficientnet_schedule(std::int64_t batch, std::int64_t images_per_epoch) {
  const std::int64_t steps_per_epoch = images_per_epoch / batch;
  LearningRateSchedule schedule;
  schedule.kind = LearningRateSchedule::exponential;
  schedule.rate = 0.016 * (static_cast<double>(batch) / 256.0);
  schedule.warmup_steps = 5 * steps_per_epoch;
  schedule.decay_steps = 2.4 * static_cast<double>(steps_per_epoch);
  return schedule;
}

}  // namespace detbench
