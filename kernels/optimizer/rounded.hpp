// fp64 numbers with a bound on how far f32 arithmetic may be from them: what verification holds an optimizer's answer to.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/simple_operation.hpp"

namespace detbench::optimizer {

struct Rounded {
  double value = 0, error = 0;
};

/// The result of one f32 operation whose operands are wrong: `error` from them, half a unit of the result on top, at least
/// half of the smallest denormal.
inline Rounded rounded(double value, double error) { return {value, error + unit_roundoff_f32 * (std::abs(value) + error) + 0x1p-150}; }

inline Rounded operator+(const Rounded& a, const Rounded& b) { return rounded(a.value + b.value, a.error + b.error); }
inline Rounded operator-(const Rounded& a, const Rounded& b) { return rounded(a.value - b.value, a.error + b.error); }
inline Rounded operator*(const Rounded& a, const Rounded& b) {
  return rounded(a.value * b.value, std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
}
/// Infinite where the divisor may be 0.
inline Rounded operator/(const Rounded& a, const Rounded& b) {
  const double least = std::abs(b.value) - b.error, quotient = a.value / b.value;
  if (!(least > 0)) return {quotient, std::numeric_limits<double>::infinity()};
  return rounded(quotient, (a.error + std::abs(quotient) * b.error) / least);
}
/// Of what is not negative.
inline Rounded root(const Rounded& a) {
  const double value = std::sqrt(a.value);
  return rounded(value, value - std::sqrt(std::max(0.0, a.value - a.error)));
}
inline Rounded larger(const Rounded& a, const Rounded& b) { return {std::max(a.value, b.value), std::max(a.error, b.error)}; }

}  // namespace detbench::optimizer
