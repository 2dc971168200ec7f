// Each arithmetic instruction of the emulated GPU against C++, in every pair of telling values and many random ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

#include "tests/emulated_gpu/machine_runner.hpp"

namespace detbench::emulated {
namespace {

using testing::Eq;

template <class T>
std::vector<T> telling() {
  if constexpr (std::is_floating_point_v<T>) {
    using L = std::numeric_limits<T>;
    std::vector<T> values = {T{0}, T{1}, T(1.5), T(0.1), T(3), T(1e10), L::max(), L::min(), L::denorm_min(), L::epsilon(), L::infinity(), L::quiet_NaN(), 1 + L::epsilon(), L::min() - L::denorm_min()};
    const std::size_t count = values.size();
    for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
    return values;
  } else {
    using L = std::numeric_limits<T>;
    return {0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 100, static_cast<T>(-1), static_cast<T>(-2), static_cast<T>(-100), L::max(), L::min(), static_cast<T>(L::max() - 1), static_cast<T>(L::max() / 2 + 1), static_cast<T>(0x5a5a5a5a5a5a5a5aull)};
  }
}

/// All pairs of telling values, then random bits.
template <class A, class B>
std::pair<std::vector<A>, std::vector<B>> pairs(unsigned seed) {
  std::pair<std::vector<A>, std::vector<B>> result;
  for (const A a : telling<A>()) {
    for (const B b : telling<B>()) result.first.push_back(a), result.second.push_back(b);
  }
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t x = random(), y = random();
    A a;
    B b;
    std::memcpy(&a, &x, sizeof a);
    std::memcpy(&b, &y, sizeof b);
    result.first.push_back(a);
    result.second.push_back(b);
  }
  return result;
}

template <class T>
auto bits(T value) {
  if constexpr (sizeof(T) == 8) return std::bit_cast<std::uint64_t>(value);
  else if constexpr (sizeof(T) == 4) return std::bit_cast<std::uint32_t>(value);
  else return std::bit_cast<std::uint16_t>(value);
}

template <class R, class A, class B, class F>
void expect_binary(const std::string& opcode, F expected) {
  const auto [a, b] = pairs<A, B>(7);
  const std::vector<R> got = each<R>(opcode + " %y, %x0, %x1;", a, b);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_THAT(bits(got[i]), Eq(bits(R(expected(a[i], b[i]))))) << opcode << " " << a[i] << ", " << b[i];
}

template <class R, class A, class F>
void expect_unary(const std::string& opcode, F expected) {
  const auto a = pairs<A, A>(11).first;
  const std::vector<R> got = each<R>(opcode + " %y, %x0;", a);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_THAT(bits(got[i]), Eq(bits(R(expected(a[i]))))) << opcode << " " << a[i];
}

template <class T>
std::string type_name() { return std::string(std::is_signed_v<T> ? "s" : "u") + std::to_string(8 * sizeof(T)); }

template <class T>
class Integers : public testing::Test {};
using IntegerTypes = testing::Types<std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(Integers, IntegerTypes);

TYPED_TEST(Integers, AddMultiplyDivide) {
  using T = TypeParam;
  using W = __int128;
  const std::string type = "." + type_name<T>();
  expect_binary<T, T, T>("add" + type, [](T a, T b) { return static_cast<T>(W{a} + b); });
  expect_binary<T, T, T>("sub" + type, [](T a, T b) { return static_cast<T>(W{a} - b); });
  expect_binary<T, T, T>("mul.lo" + type, [](T a, T b) { return static_cast<T>(static_cast<unsigned __int128>(W{a}) * static_cast<unsigned __int128>(W{b})); });
  expect_binary<T, T, T>("min" + type, [](T a, T b) { return b < a ? b : a; });
  expect_binary<T, T, T>("max" + type, [](T a, T b) { return b < a ? a : b; });
  expect_binary<T, T, T>("div" + type, [](T a, T b) { return b == 0 ? static_cast<T>(-1) : static_cast<T>(W{a} / b); });
  expect_binary<T, T, T>("rem" + type, [](T a, T b) { return b == 0 ? a : static_cast<T>(W{a} % b); });
  expect_binary<T, T, T>("mul.hi" + type, [](T a, T b) {
    if constexpr (std::is_signed_v<T>) return static_cast<T>((W{a} * b) >> (8 * sizeof(T)));
    else return static_cast<T>((static_cast<unsigned __int128>(a) * b) >> (8 * sizeof(T)));
  });
}

TYPED_TEST(Integers, Logic) {
  using T = TypeParam;
  const std::string width = std::to_string(8 * sizeof(T));
  expect_binary<T, T, T>("and.b" + width, [](T a, T b) { return static_cast<T>(a & b); });
  expect_binary<T, T, T>("or.b" + width, [](T a, T b) { return static_cast<T>(a | b); });
  expect_binary<T, T, T>("xor.b" + width, [](T a, T b) { return static_cast<T>(a ^ b); });
  expect_unary<T, T>("not.b" + width, [](T a) { return static_cast<T>(-1 - a); });
}

TYPED_TEST(Integers, ShiftsBeyondTheWidthLeaveNothingOrTheSign) {
  using T = TypeParam;
  constexpr std::uint32_t width = 8 * sizeof(T);
  expect_binary<T, T, std::uint32_t>("shl.b" + std::to_string(width), [](T a, std::uint32_t n) { return n >= width ? T{0} : static_cast<T>(static_cast<unsigned __int128>(a) << n); });
  expect_binary<T, T, std::uint32_t>("shr." + type_name<T>(), [](T a, std::uint32_t n) {
    T result = a;
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(n, 64); ++i) result = static_cast<T>(std::is_signed_v<T> && result < 0 ? -((-static_cast<__int128>(result) + 1) / 2) : result / 2);
    return result;
  });
}

TEST(Integers, NegateAndAbsolute) {
  expect_unary<std::int32_t, std::int32_t>("neg.s32", [](std::int64_t a) { return static_cast<std::int32_t>(-a); });
  expect_unary<std::int32_t, std::int32_t>("abs.s32", [](std::int64_t a) { return static_cast<std::int32_t>(a < 0 ? -a : a); });
  expect_unary<std::int64_t, std::int64_t>("neg.s64", [](__int128 a) { return static_cast<std::int64_t>(-a); });
  expect_unary<std::int16_t, std::int16_t>("neg.s16", [](int a) { return static_cast<std::int16_t>(-a); });
  expect_unary<std::int64_t, std::int64_t>("abs.s64", [](__int128 a) { return static_cast<std::int64_t>(a < 0 ? -a : a); });
}

TEST(Integers, WideProductsAndSums) {
  expect_binary<std::int64_t, std::int32_t, std::int32_t>("mul.wide.s32", [](std::int64_t a, std::int64_t b) { return a * b; });
  expect_binary<std::uint64_t, std::uint32_t, std::uint32_t>("mul.wide.u32", [](std::uint64_t a, std::uint64_t b) { return a * b; });
  expect_binary<std::uint32_t, std::uint16_t, std::uint16_t>("mul.wide.u16", [](std::uint32_t a, std::uint32_t b) { return a * b; });
  const auto [a, b] = pairs<std::int32_t, std::int32_t>(3);
  const auto got = each<std::int32_t>("mad.lo.s32 %y, %x0, %x1, %x0;", a, b);
  const auto wide = each<std::int64_t>("cvt.s64.s32 %d5, %x1; mad.wide.s32 %y, %x0, %x1, %d5;", a, b);
  const auto sum = each<std::uint64_t>("cvt.u64.u32 %d5, %x0; cvt.u64.u32 %d6, %x1; shl.b64 %d6, %d6, 32; or.b64 %d5, %d5, %d6; mov.b64 {%r5, %r6}, %d5;"
                                       "add.cc.u32 %r5, %r5, %r6; addc.u32 %r6, %r6, 5; mov.b64 %y, {%r5, %r6};", a, b);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_THAT(got[i], Eq(static_cast<std::int32_t>(static_cast<std::int64_t>(a[i]) * b[i] + a[i])));
    ASSERT_THAT(wide[i], Eq(static_cast<std::int64_t>(a[i]) * b[i] + b[i]));
    const std::uint64_t low = static_cast<std::uint32_t>(a[i]), high = static_cast<std::uint32_t>(b[i]);
    ASSERT_THAT(sum[i], Eq((high << 32 | low) + (std::uint64_t{5} << 32) + high));
  }
}

TEST(Bits, CountsAndPlaces) {
  using U = std::uint32_t;
  using V = std::uint64_t;
  const auto ones = [](V a) { U n = 0; for (; a != 0; a >>= 1) n += a & 1; return n; };
  const auto length = [](V a) { U n = 0; for (; a != 0; a >>= 1) ++n; return n; };
  expect_unary<U, U>("popc.b32", ones);
  expect_unary<U, U>("clz.b32", [&](U a) { return 32 - length(a); });
  expect_unary<U, V>("clz.b64", [&](V a) { return 64 - length(a); });
  expect_unary<U, V>("popc.b64", ones);
  expect_unary<U, U>("bfind.u32", [&](U a) { return length(a) - 1; });
  expect_unary<U, U>("bfind.shiftamt.u32", [&](U a) { return a == 0 ? ~0u : 32 - length(a); });
  expect_unary<U, U>("brev.b32", [](U a) { U r = 0; for (int i = 0; i < 32; ++i) if (a >> i & 1) r |= 1u << (31 - i); return r; });
}

TEST(Bits, FieldsBytesAndFunnels) {
  using U = std::uint32_t;
  const auto [a, b] = pairs<U, U>(5);
  std::mt19937 random(1);
  std::vector<U> position(a.size()), count(a.size());
  for (auto& p : position) p = random() % 40;
  for (auto& c : count) c = random() % 40;
  const auto inserted = each<U>("bfi.b32 %y, %x0, %x1, %x2, %x3;", a, b, position, count);
  const auto extracted = each<U>("bfe.u32 %y, %x0, %x2, %x3;", a, b, position, count);
  const auto signed_field = each<U>("bfe.s32 %y, %x0, %x2, %x3;", a, b, position, count);
  const auto permuted = each<U>("prmt.b32 %y, %x0, %x1, %x2;", a, b, b);
  const auto left = each<U>("shf.l.wrap.b32 %y, %x0, %x1, %x2;", a, b, position);
  const auto right = each<U>("shf.r.clamp.b32 %y, %x0, %x1, %x2;", a, b, position);
  const auto field_mask = each<U>("bmsk.clamp.b32 %y, %x2, %x3;", a, b, position, count);
  const auto logic = each<U>("lop3.b32 %y, %x0, %x1, %x2, 0xCA;", a, b, position);
  for (std::size_t i = 0; i < a.size(); ++i) {
    U in = b[i], out = 0, out_signed = 0, bytes = 0, mask = 0;
    for (U k = 0; k < 32; ++k) {
      if (k >= position[i] && k < position[i] + count[i]) in = (in & ~(1u << k)) | ((a[i] >> (k - position[i]) & 1) << k), mask |= 1u << k;
      const U from = k + position[i], last = std::min<U>(position[i] + count[i] - 1, 31);
      if (k < count[i] && from < 32) out |= (a[i] >> from & 1) << k, out_signed |= (a[i] >> from & 1) << k;
      else if (count[i] != 0) out_signed |= (a[i] >> last & 1) << k;
    }
    for (int k = 0; k < 4; ++k) {
      const U selector = b[i] >> (4 * k) & 15;
      U byte = ((selector & 7) < 4 ? a[i] >> (8 * (selector & 7)) : b[i] >> (8 * ((selector & 7) - 4))) & 255;
      if (selector >= 8) byte = byte >= 128 ? 255 : 0;
      bytes |= byte << (8 * k);
    }
    ASSERT_THAT(inserted[i], Eq(in)) << a[i] << " " << position[i] << " " << count[i];
    ASSERT_THAT(extracted[i], Eq(out));
    ASSERT_THAT(signed_field[i], Eq(out_signed)) << a[i] << " " << position[i] << " " << count[i];
    ASSERT_THAT(permuted[i], Eq(bytes));
    ASSERT_THAT(field_mask[i], Eq(mask));
    ASSERT_THAT(logic[i], Eq((a[i] & b[i]) | (~a[i] & position[i])));
    const U n = position[i] % 32;
    ASSERT_THAT(left[i], Eq(n == 0 ? b[i] : b[i] << n | a[i] >> (32 - n)));
    ASSERT_THAT(right[i], Eq(position[i] >= 32 ? b[i] : n == 0 ? a[i] : b[i] << (32 - n) | a[i] >> n));
  }
}

constexpr std::uint32_t gpu_nan = 0x7fffffff;
float canonical_nan(float value) { return std::isnan(value) ? std::bit_cast<float>(gpu_nan) : value; }

TEST(Floats, SinglePrecisionIsThatOfTheHostWithOneNaN) {
  expect_binary<float, float, float>("add.rn.f32", [](float a, float b) { return canonical_nan(a + b); });
  expect_binary<float, float, float>("sub.f32", [](float a, float b) { return canonical_nan(a - b); });
  expect_binary<float, float, float>("mul.rn.f32", [](float a, float b) { return canonical_nan(static_cast<float>(static_cast<double>(a) * b)); });
  expect_binary<float, float, float>("div.rn.f32", [](float a, float b) { return canonical_nan(a / b); });
  expect_unary<float, float>("sqrt.rn.f32", [](float a) { return canonical_nan(static_cast<float>(std::sqrt(static_cast<double>(a)))); });
  expect_unary<float, float>("rcp.rn.f32", [](float a) { return canonical_nan(1.0f / a); });
  expect_unary<float, float>("neg.f32", [](float a) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(a) ^ 0x80000000u); });
}

TEST(Floats, FusedMultiplyAddRoundsOnce) {
  const auto [a, b] = pairs<float, float>(9);
  std::vector<float> c = a;
  std::mt19937_64 random(2);
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (i % 3 == 0) c[i] = -(a[i] * b[i]);  // what is left is the rounding error of the product
    else if (i % 3 == 1) c[i] = static_cast<float>(static_cast<double>(random()) / 1e15);
  }
  const auto got = each<float>("fma.rn.f32 %y, %x0, %x1, %x2;", a, b, c);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_THAT(bits(got[i]), Eq(bits(canonical_nan(std::fma(a[i], b[i], c[i]))))) << a[i] << " " << b[i] << " " << c[i];
  const std::vector<double> x = {1 + 0x1p-30, 1e300, 3}, y = {1 - 0x1p-30, 1e300, 7}, z = {-1, -1, 0.5};
  EXPECT_THAT(each<double>("fma.rn.f64 %y, %x0, %x1, %x2;", x, y, z), testing::ElementsAre(-0x1p-60, std::numeric_limits<double>::infinity(), 21.5));
}

TEST(Floats, DoublePrecision) {
  const auto same = [](double a) { return a; };
  const auto [a, b] = pairs<double, double>(13);
  const auto sums = each<double>("add.rn.f64 %y, %x0, %x1;", a, b), quotients = each<double>("div.rn.f64 %y, %x0, %x1;", a, b);
  const auto roots = each<double>("sqrt.rn.f64 %y, %x0;", a), products = each<double>("mul.rn.f64 %y, %x0, %x1;", a, b);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto expect = [&](double got, double expected) {
      if (std::isnan(expected)) ASSERT_TRUE(std::isnan(got));
      else ASSERT_THAT(bits(got), Eq(bits(expected)));
    };
    expect(sums[i], a[i] + b[i]);
    expect(products[i], a[i] * b[i]);
    expect(quotients[i], a[i] / b[i]);
    expect(roots[i], std::sqrt(a[i]));
  }
  expect_unary<double, double>("mov.b64", same);
}

TEST(Floats, LeastAndGreatestPreferNumbersAndTellZerosApart) {
  const auto extreme = [](float a, float b, bool greater) {
    if (std::isnan(a) && std::isnan(b)) return std::bit_cast<float>(gpu_nan);
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    if (a == 0 && b == 0) return std::signbit(a) != greater || std::signbit(a) == std::signbit(b) ? a : b;
    return (a < b) != greater ? a : b;
  };
  expect_binary<float, float, float>("min.f32", [&](float a, float b) { return extreme(a, b, false); });
  expect_binary<float, float, float>("max.f32", [&](float a, float b) { return extreme(a, b, true); });
  expect_binary<double, double, double>("max.f64", [](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) ? (std::isnan(b) ? std::bit_cast<double>(0x7fffffffffffffffull) : b) : a;
    return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
  });
}

TEST(Floats, FlushAndSaturateAreHonoured) {
  const auto flush = [](float a) { return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a; };
  expect_binary<float, float, float>("add.rn.ftz.f32", [&](float a, float b) { return canonical_nan(flush(flush(a) + flush(b))); });
  expect_binary<float, float, float>("mul.ftz.f32", [&](float a, float b) { return canonical_nan(flush(flush(a) * flush(b))); });
  expect_binary<float, float, float>("add.sat.f32", [](float a, float b) { return a + b > 0 ? std::min(a + b, 1.0f) : 0.0f; });
}

TEST(Comparisons, OrderedAndUnordered) {
  const std::pair<const char*, bool (*)(float, float)> comparisons[] = {
      {"eq", [](float a, float b) { return a == b; }},
      {"ne", [](float a, float b) { return !std::isnan(a) && !std::isnan(b) && a != b; }},
      {"lt", [](float a, float b) { return a < b; }},
      {"le", [](float a, float b) { return a <= b; }},
      {"gt", [](float a, float b) { return a > b; }},
      {"ge", [](float a, float b) { return a >= b; }},
      {"equ", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a == b; }},
      {"neu", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a != b; }},
      {"ltu", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a < b; }},
      {"leu", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a <= b; }},
      {"gtu", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a > b; }},
      {"geu", [](float a, float b) { return std::isnan(a) || std::isnan(b) || a >= b; }},
      {"num", [](float a, float b) { return !std::isnan(a) && !std::isnan(b); }},
      {"nan", [](float a, float b) { return std::isnan(a) || std::isnan(b); }},
  };
  const auto [a, b] = pairs<float, float>(17);
  for (const auto& [name, holds] : comparisons) {
    const auto got = each<std::uint32_t>("setp." + std::string(name) + ".f32 %p1, %x0, %x1; selp.u32 %y, 1, 0, %p1;", a, b);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_THAT(got[i] != 0, Eq(holds(a[i], b[i]))) << name << " " << a[i] << " " << b[i];
  }
}

TEST(Comparisons, IntegersOfEachWidthAndSign) {
  const auto expect = [](auto zero, const std::string& type) {
    using T = decltype(zero);
    const auto [a, b] = pairs<T, T>(19);
    const auto less = each<std::uint32_t>("setp.lt." + type + " %p1, %x0, %x1; selp.u32 %y, 1, 0, %p1;", a, b);
    const auto at_least = each<std::uint32_t>("setp.ge." + type + " %p1, %x0, %x1; selp.u32 %y, 1, 0, %p1;", a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_THAT(less[i] != 0, Eq(a[i] < b[i])) << type;
      ASSERT_THAT(at_least[i] != 0, Eq(a[i] >= b[i])) << type;
    }
  };
  expect(std::int16_t{}, "s16");
  expect(std::uint16_t{}, "u16");
  expect(std::int32_t{}, "s32");
  expect(std::uint32_t{}, "u32");
  expect(std::int64_t{}, "s64");
  expect(std::uint64_t{}, "u64");
}

TEST(Comparisons, CombineWithAThirdPredicate) {
  const std::vector<std::uint32_t> a = {0, 0, 1, 1}, c = {0, 1, 0, 1};
  const auto combine = [&](const std::string& how, const std::string& third) {
    return each<std::uint32_t>("setp.eq.u32 %p2, %x1, 1; setp.eq." + how + ".u32 %p3|%p4, %x0, 1, " + third + "; selp.u32 %r5, 1, 0, %p3; selp.u32 %y, 2, 0, %p4; add.u32 %y, %y, %r5;", a, c);
  };
  EXPECT_THAT(combine("and", "%p2"), testing::ElementsAre(0, 2, 0, 1));
  EXPECT_THAT(combine("or", "%p2"), testing::ElementsAre(2, 3, 1, 3));
  EXPECT_THAT(combine("xor", "!%p2"), testing::ElementsAre(1, 2, 2, 1));
}

}  // namespace
}  // namespace detbench::emulated
