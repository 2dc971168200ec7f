#include "kernels/tensor/float_formats.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace detbench {
namespace {

#ifdef __FLT16_MAX__
std::uint16_t compiler_f16(float value) {
  const _Float16 h = static_cast<_Float16>(value);
  std::uint16_t bits;
  std::memcpy(&bits, &h, sizeof bits);
  return bits;
}
float compiler_f32(std::uint16_t bits) {
  _Float16 h;
  std::memcpy(&h, &bits, sizeof h);
  return static_cast<float>(h);
}

TEST(F16, EveryPatternWidensAsTheCompilersType) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits)
    ASSERT_EQ(float_bits(float_from_f16(static_cast<std::uint16_t>(bits))),
              float_bits(compiler_f32(static_cast<std::uint16_t>(bits))))
        << bits;
}

TEST(F16, NarrowsAsTheCompilersTypeAroundEveryValueAndEveryTie) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = float_from_f16(static_cast<std::uint16_t>(bits)),
                next = float_from_f16(static_cast<std::uint16_t>(bits + 1));
    for (const float centre : {value, (value + next) / 2}) {
      for (int step = -2; step <= 2; ++step) {
        const float x = float_from_bits(float_bits(centre) + static_cast<std::uint32_t>(step));
        ASSERT_EQ(f16_from_float(x), compiler_f16(x)) << bits << " " << x;
      }
    }
  }
}

TEST(F16, NarrowsAsTheCompilersTypeOverAllFloats) {
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 997) {
    const float x = float_from_bits(static_cast<std::uint32_t>(bits));
    ASSERT_EQ(f16_from_float(x), compiler_f16(x)) << bits;
  }
}
#endif

/// The nearest value of the format by search over neighbours in double, ties to the even pattern: a second formula that
/// shares nothing with bit arithmetic.
template <class Widen>
std::uint16_t nearest_by_search(float x, Widen widen, std::uint16_t infinity) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double size = std::abs(static_cast<double>(x));
  std::uint16_t low = 0, high = infinity;  // widen is monotone over [0, infinity)
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (static_cast<double>(widen(middle)) <= size ? low : high) = middle;
  }
  // Above the largest value the next one would be one unit further, and counts as infinity.
  const double below = widen(low);
  const double unit = below - static_cast<double>(widen(static_cast<std::uint16_t>(low ? low - 1 : 0)));
  const double above = high == infinity ? below + unit : static_cast<double>(widen(high));
  const double down = size - below, up = above - size;
  return sign | (down < up || (down == up && low % 2 == 0) ? low : high);
}

TEST(F16, RoundTripsEveryPatternAndAgreesWithSearch) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_f16(half);
    if (std::isnan(value))
      ASSERT_EQ(f16_from_float(value), half | 0x0200) << bits;  // quiet
    else
      ASSERT_EQ(f16_from_float(value), half) << bits;
  }
  for (std::uint32_t i = 0; i < 200000; ++i) {
    const float x = float_from_bits(0x32000000u + i * 2711u);  // 2^-27 to beyond 65504
    ASSERT_EQ(f16_from_float(x), nearest_by_search(x, float_from_f16, 0x7C00)) << x;
  }
}

TEST(BF16, RoundTripsEveryPatternAndAgreesWithSearch) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_bf16(half);
    ASSERT_EQ(float_bits(value), bits << 16);
    if (std::isnan(value))
      ASSERT_EQ(bf16_from_float(value), half | 0x0040) << bits;
    else
      ASSERT_EQ(bf16_from_float(value), half) << bits;
  }
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 10007) {
    const float x = float_from_bits(static_cast<std::uint32_t>(bits));
    if (std::isnan(x) || std::isinf(x)) continue;
    ASSERT_EQ(bf16_from_float(x), nearest_by_search(x, float_from_bf16, 0x7F80)) << x;
  }
  EXPECT_EQ(bf16_from_float(float_from_bits(0x3F808000u)), 0x3F80);  // a tie goes to the even neighbour below ...
  EXPECT_EQ(bf16_from_float(float_from_bits(0x3F818000u)), 0x3F82);  // ... and above
  EXPECT_EQ(bf16_from_float(float_from_bits(0x7F7FFFFFu)), 0x7F80);  // the largest f32 overflows
}

}  // namespace
}  // namespace detbench
