// Elementary functions with the same bits on every CPU and GPU (METHOD section 10): only + - * / and sqrt, integer
// operations on bits, and comparisons. No fused multiply-add, so a baseline CPU needs no slow emulation of it and the
// compiler's instruction set cannot matter; no libm and no CUDA math library, which differ from each other.
//
// The f32 functions compute in f64 and round once, so they are off by at most 0.501 ULP (correctly rounded but for the
// rarest of ties), denormal results included. Tests hold them against long double. A NaN result is always 0x7FC00000
// (0x7FF8000000000000 for f64): the sign and payload of an arithmetic NaN are the processor's choice.
// Except for sin, cos and pow the functions are branch-free, so that loops over them vectorize.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::portable {
namespace detail {

DETBENCH_HOST_DEVICE inline float quiet_nan() { return float_from_bits(0x7FC00000u); }
DETBENCH_HOST_DEVICE inline double quiet_nan64() { return double_from_bits(std::uint64_t{0x7FF80000} << 32); }
DETBENCH_HOST_DEVICE inline double infinity() { return double_from_bits(std::uint64_t{0x7FF00000} << 32); }

/// x = n ln 2 + r with |r| <= 0.347; `power` holds n in its low bits as an integer. For |x| < 2^20.
struct ExpArgument {
  double r;
  std::uint64_t power;
};
DETBENCH_HOST_DEVICE inline ExpArgument reduce_exp(double x) {
  // Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits: the unit in the last place is then 1.
  const double shifted = x * 0x1.71547652b82fep+0 + 0x1.8p+52;
  const double n = shifted - 0x1.8p+52;
  // ln 2 in two parts; the first has 21 trailing zero bits, so n times it is exact.
  const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  return {r, double_bits(shifted)};
}
/// 2^n from an integer in two's complement in the low 12 bits; -1022 <= n <= 1023.
DETBENCH_HOST_DEVICE inline double power_of_two(std::uint64_t n) {
  return double_from_bits((n << 52) + (std::uint64_t{1023} << 52));
}
/// exp(r) - 1 for |r| <= 0.347 by its Taylor series up to r^13 (remainder below 2^-57 of the value). The order of
/// additions is Horner's: smallest terms first.
DETBENCH_HOST_DEVICE inline double expm1_series(double r) {
  double q = 1.0 / 6227020800.0;
  q = q * r + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  q = q * r + 0.5;
  return r + r * r * q;
}
/// exp(x) for |x| <= 700.
DETBENCH_HOST_DEVICE inline double exp_core(double x) {
  const ExpArgument a = reduce_exp(x);
  return (1.0 + expm1_series(a.r)) * power_of_two(a.power);
}

/// log(x) for normal positive x. With x = 2^k m, m in [sqrt(1/2), sqrt(2)), and s = (m - 1) / (m + 1):
/// log m = 2 (s + s^3/3 + s^5/5 + ...); s^2 <= 0.0295, so s^23 is below 2^-57 of the sum.
DETBENCH_HOST_DEVICE inline double log_core(double x) {
  const std::uint64_t bits = double_bits(x), root_half = 0x3FE6A09E667F3BCDu;
  // Exponent relative to sqrt(1/2), biased by 1024 to stay positive, then turned into a double by bits.
  const std::uint64_t biased = (bits - root_half + (std::uint64_t{1024} << 52)) >> 52;
  const double k = double_from_bits((std::uint64_t{0x433} << 52) | biased) - (0x1p52 + 1024.0);
  const double m = double_from_bits(bits - ((biased - 1024) << 52));
  const double f = m - 1.0;  // exact
  const double s = f / (2.0 + f), z = s * s;
  double q = 2.0 / 23.0;
  q = q * z + 2.0 / 21.0;
  q = q * z + 2.0 / 19.0;
  q = q * z + 2.0 / 17.0;
  q = q * z + 2.0 / 15.0;
  q = q * z + 2.0 / 13.0;
  q = q * z + 2.0 / 11.0;
  q = q * z + 2.0 / 9.0;
  q = q * z + 2.0 / 7.0;
  q = q * z + 2.0 / 5.0;
  q = q * z + 2.0 / 3.0;
  q = q * z;
  // log(1 + f) = 2 s + s q = f - s (f - q): f is exact, so the large part carries no rounding of the division.
  return k * 0x1.62e42feep-1 + (f - (s * (f - q) - k * 0x1.a39ef35793c76p-33));
}

/// Angle in quarter turns: x = quadrant * pi/2 + r, |r| <= pi/4 (and a little).
struct Angle {
  double r;
  std::uint32_t quadrant;
};
/// 24 bits of significand times 96 bits of 2/pi, modulo 4 quarter turns, in integers (Payne and Hanek): exact enough
/// for the worst f32, whose remainder is about 2^-30.
DETBENCH_HOST_DEVICE inline Angle reduce_large_angle(float x) {
  const std::uint32_t two_over_pi[9] = {0,           0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u,
                                        0xDB629599u, 0x3C439041u, 0xFE5163ABu, 0xDEBBC561u};
  const std::uint32_t bits = float_bits(x);
  const int exponent = static_cast<int>(bits >> 23 & 0xFFu) - 150;  // x = significand * 2^exponent, exponent >= -3
  const std::uint64_t significand = (bits & 0x7FFFFFu) | 0x800000u;
  // The first bit that counts has weight 2 after multiplication by 2^exponent; all before give whole turns.
  const int first = exponent + 30, word = first >> 5, shift = first & 31;
  std::uint64_t window[3];
  for (int i = 0; i < 3; ++i)
    window[i] = static_cast<std::uint32_t>(
        (static_cast<std::uint64_t>(two_over_pi[word + i]) << 32 | two_over_pi[word + i + 1]) << shift >> 32);
  const std::uint64_t low = significand * window[2];
  const std::uint64_t high = significand * window[1] + (low >> 32) + (significand * window[0] << 32);
  const std::uint64_t quadrant = (high + (std::uint64_t{1} << 61)) >> 62;
  const auto fraction = static_cast<std::int64_t>(high - (quadrant << 62));  // units of 2^-62 quarter turns
  double r = (static_cast<double>(fraction) * 0x1p-62 + static_cast<double>(low & 0xFFFFFFFFu) * 0x1p-94) *
             0x1.921fb54442d18p+0;
  const bool negative = bits >> 31;
  return {negative ? -r : r, static_cast<std::uint32_t>(negative ? 4 - quadrant : quadrant) & 3u};
}
/// For |x| <= 2^20.
DETBENCH_HOST_DEVICE inline Angle reduce_angle(double x) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + 0x1.8p+52, n = shifted - 0x1.8p+52;
  // pi/2 in three parts of 33 bits: products with |n| < 2^20 are exact.
  const double r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
  return {r, static_cast<std::uint32_t>(double_bits(shifted)) & 3u};
}
DETBENCH_HOST_DEVICE inline Angle reduce_angle(float x) {
  const double d = x;
  return d > 1048576.0 || d < -1048576.0 ? reduce_large_angle(x) : reduce_angle(d);
}
/// Taylor series; for |r| <= 0.786 the remainders are below 2^-52 of the value.
DETBENCH_HOST_DEVICE inline double sin_series(double r) {
  const double z = r * r;
  double q = -1.0 / 1307674368000.0;
  q = q * z + 1.0 / 6227020800.0;
  q = q * z - 1.0 / 39916800.0;
  q = q * z + 1.0 / 362880.0;
  q = q * z - 1.0 / 5040.0;
  q = q * z + 1.0 / 120.0;
  q = q * z - 1.0 / 6.0;
  return r + r * z * q;
}
DETBENCH_HOST_DEVICE inline double cos_series(double r) {
  const double z = r * r;
  double q = 1.0 / 20922789888000.0;
  q = q * z - 1.0 / 87178291200.0;
  q = q * z + 1.0 / 479001600.0;
  q = q * z - 1.0 / 3628800.0;
  q = q * z + 1.0 / 40320.0;
  q = q * z - 1.0 / 720.0;
  q = q * z + 1.0 / 24.0;
  q = q * z - 0.5;
  return 1.0 + z * q;
}
DETBENCH_HOST_DEVICE inline float sin_of_quadrant(double r, std::uint32_t quadrant) {
  const double value = quadrant & 1u ? cos_series(r) : sin_series(r);
  return static_cast<float>(quadrant & 2u ? -value : value);
}

/// Horner's scheme, the constant term first: the innermost, highest term is taken first.
DETBENCH_HOST_DEVICE constexpr double polynomial(double, double constant) { return constant; }
template <class... Terms>
DETBENCH_HOST_DEVICE constexpr double polynomial(double x, double constant, Terms... higher) {
  return polynomial(x, higher...) * x + constant;
}

}  // namespace detail

/// e^x.
DETBENCH_HOST_DEVICE inline float exp(float x) {
  double d = x;
  d = d > 89.0 ? 89.0 : d;      // beyond: infinity when rounded to f32
  d = d < -104.0 ? -104.0 : d;  // beyond: zero when rounded to f32
  const float result = static_cast<float>(detail::exp_core(d));
  return x != x ? detail::quiet_nan() : result;
}

/// e^x in f64, off by less than 1 ULP.
DETBENCH_HOST_DEVICE inline double exp(double x) {
  double d = x > 710.0 ? 710.0 : x;
  d = d < -746.0 ? -746.0 : d;
  const detail::ExpArgument a = detail::reduce_exp(d);
  // Two factors reach the denormals; only the last multiplication can round.
  const auto n = static_cast<std::int64_t>(a.power << 32) / (std::int64_t{1} << 32), half = n / 2;
  const double result = (1.0 + detail::expm1_series(a.r)) * detail::power_of_two(static_cast<std::uint64_t>(half)) *
                        detail::power_of_two(static_cast<std::uint64_t>(n - half));
  return x != x ? detail::quiet_nan64() : result;
}

/// Natural logarithm; -infinity at 0, NaN below.
DETBENCH_HOST_DEVICE inline float log(float x) {
  const double d = x;
  float result = static_cast<float>(detail::log_core(d > 0.0 ? d : 1.0));  // every positive f32 is a normal f64
  result = d > 0x1.fffffep+127 ? float_from_bits(0x7F800000u) : result;
  result = d == 0.0 ? float_from_bits(0xFF800000u) : result;
  return d >= 0.0 ? result : detail::quiet_nan();
}

/// Natural logarithm in f64, off by less than 1 ULP.
DETBENCH_HOST_DEVICE inline double log(double x) {
  const bool denormal = x < 0x1p-1022;
  const double scaled = denormal ? x * 0x1p54 : x;
  double result = detail::log_core(x > 0.0 ? scaled : 1.0);
  result = denormal ? result - 54.0 * 0x1.62e42fefa39efp-1 : result;
  result = x > 0x1.fffffffffffffp+1023 ? x : result;
  result = x == 0.0 ? -detail::infinity() : result;
  return x >= 0.0 ? result : detail::quiet_nan64();
}

/// 1 / (1 + e^-x).
DETBENCH_HOST_DEVICE inline float sigmoid(float x) {
  double d = x;
  d = d > 104.0 ? 104.0 : d;
  d = d < -104.0 ? -104.0 : d;
  const float result = static_cast<float>(1.0 / (1.0 + detail::exp_core(-d)));
  return x != x ? detail::quiet_nan() : result;
}

/// Hyperbolic tangent: with e = exp(2|x|) - 1, computed without cancellation, tanh|x| = e / (e + 2).
DETBENCH_HOST_DEVICE inline float tanh(float x) {
  const std::uint32_t sign = float_bits(x) & 0x80000000u;
  double d = float_from_bits(float_bits(x) & 0x7FFFFFFFu);
  d = d > 20.0 ? 20.0 : d;  // beyond: 1 when rounded to f32
  const detail::ExpArgument a = detail::reduce_exp(2.0 * d);
  const double scale = detail::power_of_two(a.power);
  const double e = scale * detail::expm1_series(a.r) + (scale - 1.0);
  const float result = float_from_bits(float_bits(static_cast<float>(e / (e + 2.0))) | sign);
  return x != x ? detail::quiet_nan() : result;
}

/// Sine and cosine of radians, for every finite x; NaN at infinity.
DETBENCH_HOST_DEVICE inline float sin(float x) {
  if (!(x - x == 0.0f)) return detail::quiet_nan();
  if (x == 0.0f) return x;  // keeps the sign of zero
  const detail::Angle a = detail::reduce_angle(x);
  return detail::sin_of_quadrant(a.r, a.quadrant);
}
DETBENCH_HOST_DEVICE inline float cos(float x) {
  if (!(x - x == 0.0f)) return detail::quiet_nan();
  const detail::Angle a = detail::reduce_angle(x);
  return detail::sin_of_quadrant(a.r, a.quadrant + 1u);
}

/// Sine and cosine of radians in f64, off by less than 2.5 ULP, for |x| <= 2^20; NaN beyond.
DETBENCH_HOST_DEVICE inline double sin(double x) {
  if (!(x <= 1048576.0 && x >= -1048576.0)) return detail::quiet_nan64();
  if (x == 0.0) return x;  // keeps the sign of zero
  const detail::Angle a = detail::reduce_angle(x);
  const double value = a.quadrant & 1u ? detail::cos_series(a.r) : detail::sin_series(a.r);
  return a.quadrant & 2u ? -value : value;
}
DETBENCH_HOST_DEVICE inline double cos(double x) {
  if (!(x <= 1048576.0 && x >= -1048576.0)) return detail::quiet_nan64();
  const detail::Angle a = detail::reduce_angle(x);
  const double value = a.quadrant & 1u ? detail::sin_series(a.r) : detail::cos_series(a.r);
  return (a.quadrant + 1u) & 2u ? -value : value;
}

/// x^y with the special cases of C (Annex F).
DETBENCH_HOST_DEVICE inline float pow(float x, float y) {
  if (x == 1.0f || y == 0.0f) return 1.0f;
  if (x != x || y != y) return detail::quiet_nan();
  const float size = float_from_bits(float_bits(x) & 0x7FFFFFFFu);
  const bool small_y = y < 16777216.0f && y > -16777216.0f;  // beyond, every f32 is an even integer
  const bool integer = !small_y || static_cast<float>(static_cast<std::int32_t>(y)) == y;
  const bool odd = small_y && integer && (static_cast<std::int32_t>(y) & 1);
  const bool negative = float_bits(x) >> 31;
  if (negative && !integer && size != 0.0f && size <= 0x1.fffffep+127f) return detail::quiet_nan();
  double d;
  if (size == 1.0f) {
    d = 0.0;  // also for infinite y
  } else if (size == 0.0f || size > 0x1.fffffep+127f) {
    d = (size == 0.0f) == (y > 0.0f) ? -104.0 : 89.0;
  } else {
    d = static_cast<double>(y) * detail::log_core(size);
    d = d > 89.0 ? 89.0 : d < -104.0 ? -104.0 : d;
  }
  const float result = static_cast<float>(detail::exp_core(d));
  return negative && odd ? -result : result;
}

/// The standard normal deviate below which a share p of them lies, 0 < p < 1; f64, relative error about 1e-15.
/// Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (Applied Statistics 37, 1988), PPND16:
/// a quotient of two polynomials of degree 7 in each of three regions.
DETBENCH_HOST_DEVICE inline double normal_quantile(double p) {
  using detail::polynomial;
  const double q = p - 0.5;
  if (q <= 0.425 && q >= -0.425) {
    const double r = 0.180625 - q * q;
    return q *
           polynomial(r, 3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4,
                      2.5090809287301226727e3) /
           polynomial(r, 1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
                      2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
                      5.2264952788528545610e3);
  }
  double r = std::sqrt(-log(q < 0.0 ? p : 1.0 - p)), value;
  if (r <= 5.0) {
    r -= 1.6;
    value = polynomial(r, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                       3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                       2.27238449892691845833e-2, 7.74545014278341407640e-4) /
            polynomial(r, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                       1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                       1.05075007164441684324e-9);
  } else {
    r -= 5.0;
    value = polynomial(r, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                       2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                       2.71155556874348757815e-5, 2.01033439929228813265e-7) /
            polynomial(r, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                       7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                       2.04426310338993978564e-15);
  }
  return q < 0.0 ? -value : value;
}

}  // namespace detbench::portable
