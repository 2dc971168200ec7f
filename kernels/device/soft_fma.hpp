// Fused multiply-add in f32 without FMA hardware and without libm: the baseline's way to the same bits.
#pragma once

#include <cstdint>
#include <cstring>

namespace detbench {

/// fma(a, b, c) rounded once, to nearest even, denormals included. Bits agree with the hardware's for all but NaN
/// payloads. The product is exact in f64 (24 + 24 <= 53 bits); the sum in f64 is rounded to odd, which makes the second
/// rounding, to f32, harmless because 53 >= 24 + 2 (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums").
inline float soft_fma(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b), addend = c;
  double sum = product + addend;
  // Knuth's TwoSum: the exact error of the addition.
  const double part = sum - product, error = (product - (sum - part)) + (addend - part);
  std::int64_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  // A sum that was rounded and is even moves by one unit towards what was cut off; an infinite or NaN sum has a NaN
  // error, for which both comparisons are false.
  if ((error > 0 || error < 0) && (bits & 1) == 0) {
    bits += (error > 0) == (sum > 0) ? 1 : -1;
    std::memcpy(&sum, &bits, sizeof sum);
  }
  return static_cast<float>(sum);
}

}  // namespace detbench
