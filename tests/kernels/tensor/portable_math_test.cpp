#include "kernels/tensor/portable_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

using Limits = std::numeric_limits<float>;
constexpr float inf = Limits::infinity();

/// Distance in units of the last place that an f32 (or f64) of the exact value's size has, denormals included.
template <class T>
long double ulp_error(T result, long double exact) {
  if (std::abs(exact) > std::numeric_limits<T>::max()) {
    // Between the largest number and half a unit above it, both neighbours are within one unit.
    if (std::isinf(result) && (result > 0) == (exact > 0)) return 0;
  }
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent;
  const long double unit = std::ldexp(1.0L, std::max(exponent, lowest) - std::numeric_limits<T>::digits);
  return std::abs(static_cast<long double>(result) - exact) / unit;
}

struct Worst {
  long double error = 0;
  float x = 0;
};

/// Every `step`-th f32 bit pattern of either sign, those near zero, one and the largest included.
Worst worst_of(const std::function<float(float)>& ours, const std::function<long double(long double)>& exact,
               std::uint32_t step) {
  Worst worst;
  const auto ask = [&](std::uint32_t bits) {
    const float x = float_from_bits(bits);
    if (!std::isfinite(x)) return;
    const long double reference = exact(x);
    if (std::isnan(reference) || std::isinf(reference)) return;  // the special values have a test of their own
    const long double error = ulp_error(ours(x), reference);
    if (!(error <= worst.error)) worst = {error, x};
  };
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += step) ask(static_cast<std::uint32_t>(bits));
  for (const std::uint32_t centre :
       {0u, 0x00800000u, 0x3F800000u, 0x3F000000u, 0x3F3504F3u, 0x42B17218u, 0x42CFF1B5u, 0x7F7FFFFFu, 0x3FC90FDBu})
    for (std::uint32_t near = 0; near < 2000; ++near)
      for (const std::uint32_t sign : {0u, 0x80000000u}) ask((centre - 1000 + near) ^ sign);
  return worst;
}

constexpr long double bound = 0.501L;

TEST(PortableMath, ExpIsWithinItsBound) {
  const Worst worst =
      worst_of([](float x) { return portable::exp(x); }, [](long double x) { return std::exp(x); }, 3001);
  EXPECT_LE(worst.error, bound) << worst.x;
}

TEST(PortableMath, LogIsWithinItsBound) {
  const Worst worst =
      worst_of([](float x) { return portable::log(x); }, [](long double x) { return std::log(x); }, 3001);
  EXPECT_LE(worst.error, bound) << worst.x;
}

TEST(PortableMath, SigmoidIsWithinItsBound) {
  const Worst worst = worst_of(
      portable::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, 3001);
  EXPECT_LE(worst.error, bound) << worst.x;
}

TEST(PortableMath, TanhIsWithinItsBound) {
  const Worst worst = worst_of(
      portable::tanh, [](long double x) { return std::tanh(x); }, 3001);
  EXPECT_LE(worst.error, bound) << worst.x;
}

TEST(PortableMath, SineAndCosineAreWithinTheirBound) {
  // x87's long double sine is accurate in glibc for every argument (it reduces by itself).
  const Worst sine = worst_of(
      [](float x) { return portable::sin(x); }, [](long double x) { return std::sin(x); }, 5003);
  EXPECT_LE(sine.error, bound) << sine.x;
  const Worst cosine = worst_of(
      [](float x) { return portable::cos(x); }, [](long double x) { return std::cos(x); }, 5003);
  EXPECT_LE(cosine.error, bound) << cosine.x;
}

TEST(PortableMath, PowIsWithinItsBound) {
  Worst worst;
  float worst_y = 0;
  for (std::uint64_t i = 0; i < 600000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, stream_key(1, "pow"));
    // A positive base of any size and an exponent that keeps most results finite; every fourth base near 1.
    const float x =
        i % 4 ? float_from_bits(r.w[0] % 0x7F800000u) : float_from_bits(0x3F800000u + r.w[0] % 0x10000u - 0x8000u);
    const float y = static_cast<float>(static_cast<std::int32_t>(r.w[1])) * (i % 4 ? 0x1p-27f : 0x1p-15f);
    const long double exact = std::pow(static_cast<long double>(x), static_cast<long double>(y));
    if (!std::isfinite(exact)) continue;
    const long double error = ulp_error(portable::pow(x, y), exact);
    if (!(error <= worst.error)) worst = {error, x}, worst_y = y;
  }
  EXPECT_LE(worst.error, bound) << worst.x << " to the power of " << worst_y;
}

TEST(PortableMath, DoubleExpAndLogAreWithinOneUlp) {
  long double worst_exp = 0, worst_log = 0;
  for (std::uint64_t i = 0; i < 400000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, stream_key(2, "exp"));
    const double u = static_cast<double>(static_cast<std::int64_t>(std::uint64_t{r.w[1]} << 32 | r.w[0])) * 0x1p-63;
    const double x = u * (i % 3 == 0 ? 745.0 : i % 3 == 1 ? 1.0 : 1e-5);
    const long double e = std::exp(static_cast<long double>(x));
    if (e < std::numeric_limits<double>::max()) worst_exp = std::max(worst_exp, ulp_error(portable::exp(x), e));
    const double p = i % 2 ? 1 + u * 0.5 : std::ldexp(std::abs(u) + 0x1p-53, static_cast<int>(r.w[2] % 2100) - 1074);
    if (p > 0 && std::isfinite(p))
      worst_log = std::max(worst_log, ulp_error(portable::log(p), std::log(static_cast<long double>(p))));
  }
  EXPECT_LT(worst_exp, 1.0L);
  EXPECT_LT(worst_log, 1.0L);
}

TEST(PortableMath, DoubleSineAndCosineAreWithinTheirBound) {
  long double worst_sine = 0, worst_cosine = 0;
  const auto ask = [&](double x) {
    worst_sine = std::max(worst_sine, ulp_error(portable::sin(x), std::sin(static_cast<long double>(x))));
    worst_cosine = std::max(worst_cosine, ulp_error(portable::cos(x), std::cos(static_cast<long double>(x))));
  };
  for (std::uint64_t i = 0; i < 400000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, stream_key(4, "sin"));
    const double u = static_cast<double>(static_cast<std::int64_t>(std::uint64_t{r.w[1]} << 32 | r.w[0])) * 0x1p-63;
    ask(u * (i % 3 == 0 ? 1048576.0 : i % 3 == 1 ? 7.0 : 1e-5));
  }
  // The neighbours of the multiples of pi/2, where nearly everything cancels.
  for (int n = -2000; n <= 2000; ++n)
    for (int step = -2; step <= 2; ++step) {
      double x = n * 1.57079632679489661923;
      for (int k = 0; k < std::abs(step); ++k) x = std::nextafter(x, step < 0 ? -1e9 : 1e9);
      ask(x);
    }
  EXPECT_LT(worst_sine, 2.5L);
  EXPECT_LT(worst_cosine, 2.5L);
  EXPECT_EQ(double_bits(portable::sin(-0.0)), double_bits(-0.0));
  EXPECT_EQ(portable::cos(0.0), 1.0);
  EXPECT_EQ(double_bits(portable::sin(1048577.0)), std::uint64_t{0x7FF8000000000000u});
  EXPECT_EQ(double_bits(portable::cos(std::nan("7"))), std::uint64_t{0x7FF8000000000000u});
}

std::uint32_t bits(float x) { return float_bits(x); }
constexpr std::uint32_t nan_bits = 0x7FC00000u;

TEST(PortableMath, SpecialValues) {
  const float nan = float_from_bits(0xFFC12345u);
  for (const float x : {nan, -nan, Limits::signaling_NaN()}) {
    for (const auto& f : {+[](float v) { return portable::exp(v); }, +[](float v) { return portable::log(v); },
                          &portable::sigmoid, &portable::tanh, +[](float v) { return portable::sin(v); }, +[](float v) { return portable::cos(v); }})
      EXPECT_EQ(bits(f(x)), nan_bits);
  }
  EXPECT_EQ(bits(portable::exp(-inf)), bits(0.0f));
  EXPECT_EQ(portable::exp(inf), inf);
  EXPECT_EQ(portable::exp(0.0f), 1.0f);
  EXPECT_EQ(portable::exp(-0.0f), 1.0f);
  EXPECT_EQ(portable::exp(-103.0f), 0x1p-149f);  // 1.2e-45: denormals are kept
  EXPECT_EQ(bits(portable::log(0.0f)), bits(-inf));
  EXPECT_EQ(bits(portable::log(-0.0f)), bits(-inf));
  EXPECT_EQ(bits(portable::log(-1.0f)), nan_bits);
  EXPECT_EQ(bits(portable::log(-inf)), nan_bits);
  EXPECT_EQ(portable::log(inf), inf);
  EXPECT_EQ(bits(portable::log(1.0f)), bits(0.0f));
  EXPECT_EQ(portable::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(portable::sigmoid(inf), 1.0f);
  EXPECT_EQ(bits(portable::sigmoid(-inf)), bits(0.0f));
  EXPECT_EQ(bits(portable::tanh(-0.0f)), bits(-0.0f));
  EXPECT_EQ(portable::tanh(inf), 1.0f);
  EXPECT_EQ(portable::tanh(-inf), -1.0f);
  EXPECT_EQ(portable::tanh(-0x1p-149f), -0x1p-149f);
  EXPECT_EQ(bits(portable::sin(-0.0f)), bits(-0.0f));
  EXPECT_EQ(portable::cos(0.0f), 1.0f);
  EXPECT_EQ(bits(portable::sin(inf)), nan_bits);
  EXPECT_EQ(bits(portable::cos(-inf)), nan_bits);
  EXPECT_EQ(portable::exp(-std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_EQ(portable::exp(std::numeric_limits<double>::infinity()), std::numeric_limits<double>::infinity());
  EXPECT_EQ(portable::log(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(double_bits(portable::log(-1.0)), std::uint64_t{0x7FF8000000000000u});
  EXPECT_EQ(double_bits(portable::exp(std::nan("7"))), std::uint64_t{0x7FF8000000000000u});
}

TEST(PortableMath, PowAgreesWithTheLibraryOnEverySpecialPair) {
  const float values[] = {0.0f,
                          -0.0f,
                          1.0f,
                          -1.0f,
                          2.0f,
                          -2.0f,
                          0.5f,
                          -0.5f,
                          3.0f,
                          -3.0f,
                          1.5f,
                          -1.5f,
                          0x1p23f,
                          0x1p24f,
                          -0x1p24f,
                          0x1p25f,
                          8388609.0f,
                          -8388609.0f,
                          inf,
                          -inf,
                          Limits::quiet_NaN(),
                          Limits::denorm_min(),
                          -Limits::denorm_min(),
                          Limits::max(),
                          Limits::lowest(),
                          Limits::min(),
                          0.99999994f,
                          -0.99999994f};
  for (const float x : values) {
    for (const float y : values) {
      const float expected = static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
      const float ours = portable::pow(x, y);
      if (std::isnan(expected))
        EXPECT_EQ(bits(ours), nan_bits) << x << " ^ " << y;
      else
        EXPECT_EQ(bits(ours), bits(expected)) << x << " ^ " << y;
    }
  }
}

TEST(PortableMath, LargeAngles) {
  // The f32 nearest to a multiple of pi/2 (Kahan), and the largest.
  for (const float x :
       {16367173.0f * 0x1p72f, 0x1.6ac5b2p+118f, Limits::max(), 1048576.0f, 1048577.0f, 3.0e6f, -1.0e30f}) {
    EXPECT_LE(ulp_error(portable::sin(x), std::sin(static_cast<long double>(x))), bound) << x;
    EXPECT_LE(ulp_error(portable::cos(x), std::cos(static_cast<long double>(x))), bound) << x;
  }
}

TEST(PortableMath, NormalQuantileInvertsTheDistribution) {
  const auto below = [](long double z) { return std::erfc(-z / std::sqrt(2.0L)) / 2; };
  const auto density = [](long double z) { return std::exp(-z * z / 2) / std::sqrt(2 * 3.14159265358979323846L); };
  for (const double p : {1e-300, 1e-30, 1e-12, 1e-9, 1e-5, 0.001, 0.0227501319, 0.07, 0.075, 0.08, 0.2, 0.4999, 0.5,
                         0.7, 0.924, 0.93, 0.99, 0.99999, 1 - 1e-9}) {
    const double z = portable::normal_quantile(p);
    // The distance in z is (error in p) / density.
    const long double distance = std::abs((below(z) - p) / density(z));
    EXPECT_LE(distance, 4e-15L * (1 + std::abs(z))) << p << " " << z;
  }
  EXPECT_EQ(portable::normal_quantile(0.5), 0.0);
  EXPECT_NEAR(portable::normal_quantile(0.975), 1.959963984540054, 1e-15);
}

TEST(PortableMath, SquareRootAndDivisionAreTheHardwares) {
  // What the header builds on: IEEE operations, rounded once. In f64 the long double quotient would be rounded twice,
  // so f32 is held against f64, which has more than twice the digits.
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, stream_key(3, "division"));
    const float a = float_from_bits(r.w[0] % 0x7F800000u), b = float_from_bits(r.w[1] % 0x7F800000u);
    if (b == 0.0f) continue;
    EXPECT_EQ(a / b, static_cast<float>(static_cast<double>(a) / static_cast<double>(b)));
    EXPECT_EQ(std::sqrt(a), static_cast<float>(std::sqrt(static_cast<double>(a))));
  }
}

}  // namespace
}  // namespace detbench
