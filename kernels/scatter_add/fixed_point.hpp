// A bin as a 64-bit integer: sums in f32 whose order cannot show, for CPU and CUDA.
//
// A first pass finds the largest magnitude of each bin, by a maximum, whose order cannot show either. It fixes the bin's
// unit: with E the exponent of that magnitude and L so that there are at most 2^L updates, the unit is 2^(E + 1 + L - 62),
// so that no sum exceeds 2^62 units. A second pass rounds every value to units, by itself, and adds integers. The idea of
// rounding to a common unit before adding is Demmel and Nguyen's (IEEE ARITH 2013), with an integer in the place of
// their bins. Not exact: each value loses up to half a unit, together at most n * 2^(L - 62) of the largest magnitude,
// which up to n = 2^26 is within (4 + 2 sqrt(n)) 2^-24, the rounding bound of a sum in f32; at n = 2^20 it is 2^-22 at
// worst, and some 2^-32 where the errors have random signs.
#pragma once

#include <cstdint>

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::scatter_add {

inline constexpr std::int64_t fixed_point_largest_n = std::int64_t{1} << 26;
inline constexpr std::uint32_t infinite_magnitude = 0x7F800000u;

/// L above.
constexpr int guard_bits_of(std::int64_t n) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < n) ++bits;
  return bits;
}

/// Bits of |x|, which order as magnitudes do; NaNs above infinities.
DETBENCH_HOST_DEVICE inline std::uint32_t magnitude_bits(float x) { return reduction::bits_of(x) & 0x7FFFFFFFu; }

/// Denormals share the exponent of the smallest normal numbers.
DETBENCH_HOST_DEVICE constexpr int biased_exponent(std::uint32_t magnitude) {
  const int exponent = static_cast<int>(magnitude >> 23);
  return exponent > 0 ? exponent : 1;
}

/// x in units of a bin whose largest magnitude is `largest`, rounded to nearest, halves away from zero. In a bin with
/// infinities these alone count: 1 for each positive one, 2^31 for each negative one.
DETBENCH_HOST_DEVICE inline std::int64_t fixed_point_amount(float x, std::uint32_t largest, int guard_bits) {
  const std::uint32_t magnitude = magnitude_bits(x);
  const bool negative = reduction::bits_of(x) >> 31 != 0;
  if (largest >= infinite_magnitude) return magnitude != infinite_magnitude ? 0 : negative ? std::int64_t{1} << 31 : 1;
  const std::uint64_t significand = (magnitude & 0x7FFFFFu) | (magnitude >= 0x800000u ? 0x800000u : 0u);
  const int shift = biased_exponent(magnitude) - biased_exponent(largest) + 38 - guard_bits;
  std::uint64_t units = 0;
  if (shift >= 0) units = significand << shift;
  else if (shift >= -25) units = (significand + (std::uint64_t{1} << (-shift - 1))) >> -shift;
  return negative ? -static_cast<std::int64_t>(units) : static_cast<std::int64_t>(units);
}

/// The bin's sum, rounded to f32 (twice where it is denormal).
DETBENCH_HOST_DEVICE inline float fixed_point_value(std::int64_t units, std::uint32_t largest, int guard_bits) {
  if (largest >= infinite_magnitude) {
    const bool positive = (units & 0x7FFFFFFF) != 0, negative = units >> 31 != 0;
    if (largest > infinite_magnitude || (positive && negative)) return reduction::value_of<float>(0x7FC00000u);
    return reduction::value_of<float>(positive ? infinite_magnitude : infinite_magnitude | 0x80000000u);
  }
  const int unit_exponent = biased_exponent(largest) - 127 + 1 + guard_bits - 62;
  const auto unit = reduction::value_of<double>(static_cast<std::uint64_t>(unit_exponent + 1023) << 52);
  return static_cast<float>(static_cast<double>(static_cast<float>(units)) * unit);
}

}  // namespace detbench::scatter_add
