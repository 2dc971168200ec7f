// cvt against the compiler's own _Float16 and against formulas written another way: every f16 and bf16, the f32 around each
// rounding boundary, many random ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "tests/emulated_gpu/machine_runner.hpp"
#include "tests/emulated_gpu/number_formats.hpp"

namespace detbench::emulated {
namespace {

using testing::Eq;

std::vector<std::uint16_t> all_16() {
  std::vector<std::uint16_t> values(65536);
  std::iota(values.begin(), values.end(), std::uint16_t{0});
  return values;
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
float float_of(std::uint32_t value) { return std::bit_cast<float>(value); }

/// By powers of two: sign, exponent and fraction as the format's definition says.
float value_of(std::uint16_t half, int fraction_bits, int bias) {
  const int exponent_bits = 15 - fraction_bits, exponent = half >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = half & ((1 << fraction_bits) - 1);
  const float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? float_of(0x7fffffff) : sign * std::numeric_limits<float>::infinity();
  const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits) : std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
  return static_cast<float>(sign * magnitude);
}

TEST(Conversions, EveryNumberOf16Bits) {
  const auto halves = all_16();
  const auto from_half = each<float>("cvt.f32.f16 %y, %x0;", halves), from_brain = each<float>("cvt.f32.bf16 %y, %x0;", halves);
  const auto there_and_back = each<std::uint16_t>("cvt.f32.f16 %f1, %x0; cvt.rn.f16.f32 %y, %f1;", halves);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    ASSERT_THAT(bits(from_half[i]), Eq(bits(value_of(halves[i], 10, 15)))) << i;
    ASSERT_THAT(bits(from_brain[i]), Eq(bits(value_of(halves[i], 7, 127)))) << i;
    ASSERT_THAT(there_and_back[i], Eq(std::isnan(from_half[i]) ? 0x7fff : halves[i])) << i;
  }
}

/// f32 at, just below and just above each f16 and each middle between two, and random ones.
std::vector<float> near_halves() {
  std::vector<float> values;
  for (const std::uint16_t half : all_16()) {
    const std::uint32_t at = bits(value_of(half, 10, 15)), middle = at + 0x1000;
    for (const std::uint32_t base : {at, middle}) values.insert(values.end(), {float_of(base - 1), float_of(base), float_of(base + 1)});
  }
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) values.push_back(float_of(static_cast<std::uint32_t>(random())));
  return values;
}

TEST(Conversions, HalfIsTheCompilersOwn) {
  const auto values = near_halves();
  const auto got = each<std::uint16_t>("cvt.rn.f16.f32 %y, %x0;", values);
  const auto packed = each<std::uint32_t>("cvt.rn.f16x2.f32 %y, %x0, 0f3F800000;", values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t expected = std::isnan(values[i]) ? 0x7fff : std::bit_cast<std::uint16_t>(static_cast<_Float16>(values[i]));
    ASSERT_THAT(got[i], Eq(expected)) << values[i];
    ASSERT_THAT(packed[i], Eq(static_cast<std::uint32_t>(expected) << 16 | 0x3c00));
  }
}

TEST(Conversions, BrainRoundsTheUpperHalfOfTheBits) {
  auto values = near_halves();
  for (std::uint32_t upper = 0; upper < 65536; ++upper) {
    for (const std::uint32_t lower : {0x7fffu, 0x8000u, 0x8001u}) values.push_back(float_of(upper << 16 | lower));
  }
  const auto got = each<std::uint16_t>("cvt.rn.bf16.f32 %y, %x0;", values);
  const auto cut = each<std::uint16_t>("cvt.rz.bf16.f32 %y, %x0;", values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t b = bits(values[i]);
    ASSERT_THAT(got[i], Eq(std::isnan(values[i]) ? 0x7fff : (b + 0x7fff + (b >> 16 & 1)) >> 16)) << values[i];
    ASSERT_THAT(cut[i], Eq(std::isnan(values[i]) ? 0x7fff : b >> 16));
  }
}

TEST(Conversions, DoubleToHalfRoundsOnce) {
  // Rounded to f32 first, it would land on the middle and then go to even.
  EXPECT_THAT(rounded_16<HalfFormat>(1 + 0x1p-11 + 0x1p-40), Eq(0x3c01));
  EXPECT_THAT(rounded_16<HalfFormat>(1 + 0x1p-11), Eq(0x3c00));
  EXPECT_THAT(rounded_16<HalfFormat>(65519.999), Eq(0x7bff));
  EXPECT_THAT(rounded_16<HalfFormat>(65520), Eq(0x7c00));
  EXPECT_THAT(rounded_16<HalfFormat>(-1e300), Eq(0xfc00));
  EXPECT_THAT(rounded_16<HalfFormat>(1e-300), Eq(0));
  EXPECT_THAT(rounded_16<HalfFormat>(1e300, Rounding::zero), Eq(0x7bff));
  EXPECT_THAT(rounded_16<HalfFormat>(0x1p-25), Eq(0));
  EXPECT_THAT(rounded_16<HalfFormat>(0x1.001p-25), Eq(1));
  const std::vector<double> values = {1 + 0x1p-11 + 0x1p-40, 0.1};
  EXPECT_THAT(each<std::uint16_t>("cvt.rn.f16.f64 %y, %x0;", values), testing::ElementsAre(0x3c01, 0x2e66));
}

template <class T>
std::vector<T> telling_floats() {
  std::vector<T> values = {0, T(-0.0), T(0.5), T(-0.5), T(1.5), T(2.5), T(-2.5), T(0.49999997), T(1e30), T(-1e30), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(), -std::numeric_limits<T>::denorm_min()};
  for (const int power : {7, 8, 15, 16, 31, 32, 63, 64}) {
    const T p = std::ldexp(T{1}, power);
    for (const T v : {p, std::nextafter(p, T{0}), std::nextafter(p, p * 2), p - T(0.5), p - 1}) values.insert(values.end(), {v, -v});
  }
  std::mt19937_64 random(4);
  for (int i = 0; i < 500; ++i) values.push_back(static_cast<T>(std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())), -static_cast<int>(random() % 70))));
  return values;
}

template <class To, class From>
void expect_float_to_integer(const std::string& types) {
  using L = std::numeric_limits<To>;
  const std::pair<const char*, long double (*)(long double)> roundings[] = {
      {"rni", [](long double x) { return std::nearbyint(x); }}, {"rzi", [](long double x) { return std::trunc(x); }},
      {"rmi", [](long double x) { return std::floor(x); }}, {"rpi", [](long double x) { return std::ceil(x); }}};
  const auto values = telling_floats<From>();
  for (const auto& [name, round] : roundings) {
    const auto got = each<To>("cvt." + std::string(name) + "." + types + " %y, %x0;", values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      To expected;
      if (std::isnan(values[i])) {
        expected = sizeof(To) == 8 || sizeof(From) == 8 ? static_cast<To>(std::make_unsigned_t<To>{1} << (8 * sizeof(To) - 1)) : To{0};
      } else {
        const long double whole = round(values[i]);
        expected = whole > static_cast<long double>(L::max()) ? L::max() : whole < static_cast<long double>(L::min()) ? L::min() : static_cast<To>(whole);
      }
      ASSERT_THAT(got[i], Eq(expected)) << name << "." << types << " " << values[i];
    }
  }
}

TEST(Conversions, FloatsToIntegersRoundAndSaturate) {
  expect_float_to_integer<std::int32_t, float>("s32.f32");
  expect_float_to_integer<std::uint32_t, float>("u32.f32");
  expect_float_to_integer<std::int64_t, float>("s64.f32");
  expect_float_to_integer<std::int32_t, double>("s32.f64");
  expect_float_to_integer<std::int64_t, double>("s64.f64");
  expect_float_to_integer<std::uint64_t, double>("u64.f64");
  expect_float_to_integer<std::uint16_t, float>("u16.f32");
}

/// x / 2^k of whole x, rounded by hand.
float nearest_float(__int128 value) {
  const bool negative = value < 0;
  auto magnitude = static_cast<unsigned __int128>(negative ? -value : value);
  int exponent = 0;
  unsigned __int128 rest = 0, unit = 1;
  while (magnitude >> exponent >= (1u << 24)) ++exponent;
  unit <<= exponent;
  rest = magnitude % unit;
  magnitude /= unit;
  if (rest * 2 > unit || (rest * 2 == unit && (magnitude & 1) != 0)) ++magnitude;
  const float result = std::ldexp(static_cast<float>(static_cast<std::uint32_t>(magnitude)), exponent);
  return negative ? -result : result;
}

template <class From>
void expect_integer_to_float(const std::string& type) {
  std::vector<From> values = {0, 1, static_cast<From>(-1), std::numeric_limits<From>::max(), std::numeric_limits<From>::min(), static_cast<From>(16777217), static_cast<From>(16777219)};
  std::mt19937_64 random(5);
  for (int i = 0; i < 500; ++i) values.push_back(static_cast<From>(random() >> random() % 64));
  const auto got = each<float>("cvt.rn.f32." + type + " %y, %x0;", values);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_THAT(got[i], Eq(nearest_float(values[i]))) << type << " " << +values[i];
}

TEST(Conversions, IntegersToFloats) {
  expect_integer_to_float<std::uint16_t>("u16");
  expect_integer_to_float<std::int32_t>("s32");
  expect_integer_to_float<std::uint32_t>("u32");
  expect_integer_to_float<std::int64_t>("s64");
  expect_integer_to_float<std::uint64_t>("u64");
  const std::vector<std::int32_t> values = {16777217, -16777217, 16777219};
  EXPECT_THAT(each<float>("cvt.rz.f32.s32 %y, %x0;", values), testing::ElementsAre(16777216.f, -16777216.f, 16777218.f));
  EXPECT_THAT(each<float>("cvt.rp.f32.s32 %y, %x0;", values), testing::ElementsAre(16777218.f, -16777216.f, 16777220.f));
  EXPECT_THAT(each<float>("cvt.rm.f32.s32 %y, %x0;", values), testing::ElementsAre(16777216.f, -16777218.f, 16777218.f));
}

TEST(Conversions, BetweenFloats) {
  const std::vector<double> values = {0.1, -0.1, 1e300, -1e-320, std::numeric_limits<double>::quiet_NaN()};
  const auto nearest = each<std::uint32_t>("cvt.rn.f32.f64 %y, %x0;", values), down = each<std::uint32_t>("cvt.rm.f32.f64 %y, %x0;", values);
  EXPECT_THAT(nearest, testing::ElementsAre(0x3dcccccd, 0xbdcccccd, 0x7f800000, 0x80000000, 0x7fffffff));
  EXPECT_THAT(down, testing::ElementsAre(0x3dcccccc, 0xbdcccccd, 0x7f7fffff, 0x80000001, 0x7fffffff));
  const std::vector<float> floats = {2.5f, -2.5f, 0.1f, 0x1p-149f};
  EXPECT_THAT(each<float>("cvt.rni.f32.f32 %y, %x0;", floats), testing::ElementsAre(2.f, -2.f, 0.f, 0.f));
  EXPECT_THAT(each<double>("cvt.f64.f32 %y, %x0;", floats), testing::ElementsAre(2.5, -2.5, double{0.1f}, 0x1p-149));
}

TEST(Conversions, IntegersExtendTruncateAndSaturate) {
  const std::vector<std::uint32_t> values = {0, 127, 128, 255, 256, 0x8000, 0xffff, 0x12345680, 0xffffffff};
  const auto signed_byte = each<std::int32_t>("cvt.s32.s8 %y, %x0;", values);
  const auto wide = each<std::int64_t>("cvt.s64.s32 %y, %x0;", values);
  const auto unsigned_wide = each<std::uint64_t>("cvt.u64.u32 %y, %x0;", values);
  const auto narrow = each<std::uint32_t>("cvt.u16.u32 %h1, %x0; cvt.u32.u16 %y, %h1;", values);
  const auto signed_16 = each<std::int32_t>("cvt.u16.u32 %h1, %x0; cvt.s32.s16 %y, %h1;", values);
  const auto to_byte = each<std::uint32_t>("cvt.u8.u32 %h1, %x0; cvt.u32.u16 %y, %h1;", values);
  const auto saturated = each<std::int32_t>("cvt.sat.s8.s32 %y, %x0;", values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t v = values[i];
    ASSERT_THAT(signed_byte[i], Eq(static_cast<std::int8_t>(v)));
    ASSERT_THAT(wide[i], Eq(static_cast<std::int32_t>(v)));
    ASSERT_THAT(unsigned_wide[i], Eq(v));
    ASSERT_THAT(narrow[i], Eq(v & 0xffff));
    ASSERT_THAT(signed_16[i], Eq(static_cast<std::int16_t>(v)));
    ASSERT_THAT(to_byte[i], Eq(v & 0xff));
    ASSERT_THAT(saturated[i], Eq(std::clamp<std::int64_t>(static_cast<std::int32_t>(v), -128, 127)));
  }
}

}  // namespace
}  // namespace detbench::emulated
