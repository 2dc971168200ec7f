// The exact accumulators against long-integer arithmetic written apart from them (exact_oracle.hpp).
#include "kernels/reduction/superaccumulator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "exact_oracle.hpp"
#include "kernels/reduction/exact_sum.hpp"
#include "kernels/reduction/window.hpp"
#include "sum_runner.hpp"

namespace detbench {
namespace {

using reduction::available_isas;
using reduction::Elements;
using reduction::ExactSum;
using reduction::Isa;
using reduction::rounded_sum;
using reduction::Superaccumulator;
using testing::bits_of_value;
using testing::exact_sum;

template <class T>
T by_each(const std::vector<T>& values) {
  std::int64_t slots[Superaccumulator<T>::slots] = {};
  ExactSum<Elements<T>> sum;
  sum.add_each({values.data()}, static_cast<std::int64_t>(values.size()));
  sum.join_into(slots);
  return rounded_sum<T>(slots);
}
template <class T>
T by_windows(const std::vector<T>& values, Isa isa) {
  std::int64_t slots[Superaccumulator<T>::slots] = {};
  ExactSum<Elements<T>> sum;
  sum.add_windows({values.data()}, static_cast<std::int64_t>(values.size()), isa);
  sum.join_into(slots);
  return rounded_sum<T>(slots);
}
/// One deposit after the other, without bins or windows.
template <class T>
T by_deposits(const std::vector<T>& values) {
  std::int64_t slots[Superaccumulator<T>::slots] = {};
  for (T value : values) {
    reduction::deposit<T>(value, [&](int slot, std::int64_t amount) { slots[slot] += amount; });
    if (bits_of_value(value) != bits_of_value(-T(0))) slots[Superaccumulator<T>::not_negative_zero_slot] = 1;
  }
  return rounded_sum<T>(slots);
}

/// The CUDA kernel's way, played through: warps of 32 threads, each with its share of a window, joined in any order.
template <class T>
T by_warps(const std::vector<T>& values) {
  using namespace reduction;
  using Slots = Superaccumulator<T>;
  std::int64_t slots[Slots::slots] = {};
  const auto add = [&](int slot, std::int64_t amount) { slots[slot] += amount; };
  std::mt19937 random(1);
  for (std::size_t first = 0; first < values.size(); first += window_elements) {
    T shares[32][window_rows * 4];
    WindowRange<Elements<T>> range;
    for (int lane = 0; lane < 32; ++lane) {
      WindowRange<Elements<T>> own;
      for (int i = 0; i < window_rows * 4; ++i) {
        const std::size_t at = first + static_cast<std::size_t>(window_element(lane, i / 4) + i % 4);
        shares[lane][i] = at < values.size() ? values[at] : -T(0);
        own.observe(shares[lane][i]);
      }
      range.join(own);
    }
    int order[32];
    for (int lane = 0; lane < 32; ++lane) order[lane] = lane;
    std::shuffle(order, order + 32, random);
    SlicedSum total;
    for (int lane : order) {
      for (T value : shares[lane]) slots[Slots::not_negative_zero_slot] += bits_of_value(value) != bits_of_value(-T(0));
      if (range.all_zero()) continue;
      if (window_fit(range) == WindowFit::none) {
        for (T value : shares[lane]) deposit<T>(value, add);
        continue;
      }
      SlicedSum share;
      double sums[4] = {};
      for (int i = 0; i < window_rows * 4; ++i) {
        if (window_fit(range) == WindowFit::narrow)
          sums[i % 4] += shares[lane][i];
        else
          share.add(shares[lane][i], window_slicer(range));
      }
      share.add((sums[0] + sums[1]) + (sums[2] + sums[3]), window_slicer(range));
      total.high += share.high;
      total.low += share.low;
    }
    deposit<T>(total.high, add);
    deposit<T>(total.low, add);
  }
  return rounded_sum<T>(slots);
}

template <class T>
void expect_sum(const std::vector<T>& values, T expected, const char* what) {
  const auto bits = bits_of_value(expected);
  EXPECT_EQ(bits_of_value(by_deposits(values)), bits) << what << ", deposits";
  EXPECT_EQ(bits_of_value(by_each(values)), bits) << what << ", each";
  EXPECT_EQ(bits_of_value(by_warps(values)), bits) << what << ", warps";
  for (Isa isa : available_isas())
    EXPECT_EQ(bits_of_value(by_windows(values, isa)), bits) << what << ", windows, " << to_text(isa);
}

/// The same summands in the company of zeros enough to reach the vectorized paths.
template <class T>
std::vector<T> padded(std::vector<T> values) {
  values.resize(values.size() + 3 * reduction::window_elements, -T(0));
  return values;
}

template <class T>
class ExactSums : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ExactSums, Types);

TYPED_TEST(ExactSums, SpecialValues) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  const T tiny = Limits::denorm_min(), huge = Limits::max(), infinity = Limits::infinity(), nan = Limits::quiet_NaN();
  const T ulp = Limits::epsilon();
  const struct {
    const char* what;
    std::vector<T> values;
    T expected;
  } cases[] = {
      {"one denormal", {tiny}, tiny},
      {"denormals become normal", std::vector<T>(4096, Limits::min() / 2), Limits::min() * 2048},
      {"cancellation down to a denormal", {huge, tiny, -huge}, tiny},
      {"cancellation to +0", {T(1), T(-1)}, T(0)},
      {"+0 among -0", {-T(0), T(0), -T(0)}, T(0)},
      {"only -0", {-T(0), -T(0)}, -T(0)},
      {"overflow in the middle is not overflow", {huge, huge, huge, -huge, -huge}, huge},
      {"overflow", {huge, huge}, infinity},
      {"overflow below", {-huge, -huge}, -infinity},
      {"half an ulp above the largest: tie to even, infinity",
       {huge, std::ldexp(T(1), Limits::max_exponent - Limits::digits - 1)},
       infinity},
      {"just below that tie", {huge, std::ldexp(T(1), Limits::max_exponent - Limits::digits - 1), -tiny}, huge},
      {"tie to even, down", {T(1), ulp / 2}, T(1)},
      {"tie to even, up", {T(1) + ulp, ulp / 2}, T(1) + 2 * ulp},
      {"tie broken by the smallest number", {T(1), ulp / 2, tiny}, T(1) + ulp},
      {"tie broken downwards", {T(1) + ulp, ulp / 2, -tiny}, T(1) + ulp},
      {"carry out of the significand", {T(2) - ulp, ulp / 2}, T(2)},
      {"infinity", {T(1), infinity, -huge}, infinity},
      {"negative infinity", {-infinity, T(5)}, -infinity},
      {"both infinities", {infinity, -infinity}, nan},
      {"many infinities of both signs", {infinity, infinity, -infinity}, nan},
      {"NaN", {T(1), nan, infinity}, nan},
      {"negative NaN", {-nan}, nan},
  };
  for (const auto& c : cases) {
    expect_sum(c.values, c.expected, c.what);
    auto longer = padded(c.values);
    expect_sum(longer, c.expected, c.what);
    std::reverse(longer.begin(), longer.end());
    expect_sum(longer, c.expected, c.what);
    // The oracle agrees with the table, so that both are checked.
    if (std::all_of(c.values.begin(), c.values.end(), [](T v) { return std::isfinite(v); })) {
      EXPECT_EQ(bits_of_value(exact_sum(c.values)), bits_of_value(c.expected)) << c.what << ", oracle";
    }
  }
}

TYPED_TEST(ExactSums, RandomNumbersOfEverySpreadMatchLongIntegers) {
  using T = TypeParam;
  std::mt19937_64 random(1);
  const int widest = sizeof(T) == 4 ? 250 : 2040;
  // Spreads on both sides of every bound in window.hpp.
  for (int spread : {0, 1, 17, 22, 23, 24, 32, 33, 60, 61, 62, 120, widest})
    for (std::size_t n : {1u, 2u, 100u, 2048u, 2049u, 7000u}) {
      std::vector<T> values(n);
      const int lowest = std::numeric_limits<T>::min_exponent + 2 +
                         static_cast<int>(random() % static_cast<unsigned>(widest - spread + 1));
      for (T& value : values) {
        const T fraction = static_cast<T>(1) + static_cast<T>(random() >> 11) * static_cast<T>(0x1p-53);
        value = std::ldexp(fraction, lowest + static_cast<int>(random() % static_cast<unsigned>(spread + 1)));
        if (random() & 1) value = -value;
      }
      expect_sum(values, exact_sum(values), ("spread " + std::to_string(spread) + ", n " + std::to_string(n)).c_str());
    }
}

TYPED_TEST(ExactSums, RandomBitPatternsWithDenormalsMatchLongIntegers) {
  using T = TypeParam;
  using Bits = testing::BitsOf<T>;
  std::mt19937_64 random(2);
  for (int round = 0; round < 40; ++round) {
    std::vector<T> values(1 + random() % 5000);
    for (T& value : values) {
      Bits bits = static_cast<Bits>(random());
      // Odd rounds stay among denormals and the smallest normal numbers.
      if (round % 2) bits &= (Bits{1} << (sizeof(T) * 8 - 1)) | ((Bits{4} << (std::numeric_limits<T>::digits - 1)) - 1);
      std::memcpy(&value, &bits, sizeof value);
      if (!std::isfinite(value)) value = 1;
    }
    expect_sum(values, exact_sum(values), "random bits");
  }
}

TYPED_TEST(ExactSums, ExtremesOfTheWindowStayExact) {
  using T = TypeParam;
  // All summands as large as their exponent allows, then all but one tiny: the bounds of window.hpp taken to the edge.
  for (int spread : {0, 22, 32, 61}) {
    std::vector<T> values(reduction::window_elements, std::nextafter(T(2), T(0)));
    expect_sum(values, exact_sum(values), "largest");
    for (std::size_t i = 0; i < values.size(); i += 2) values[i] = std::ldexp(std::nextafter(T(2), T(0)), -spread);
    expect_sum(values, exact_sum(values), "alternating");
    for (std::size_t i = 1; i < values.size(); ++i)
      values[i] = std::ldexp(T(1) + std::numeric_limits<T>::epsilon(), -spread);
    expect_sum(values, exact_sum(values), "one large");
  }
}

TYPED_TEST(ExactSums, CarriesDoNotChangeTheValue) {
  using T = TypeParam;
  using Slots = Superaccumulator<T>;
  std::mt19937_64 random(3);
  std::int64_t often[Slots::slots] = {}, never[Slots::slots] = {};
  for (int i = 0; i < 20000; ++i) {
    const T value =
        std::ldexp(static_cast<T>(static_cast<std::int64_t>(random()) >> 12), static_cast<int>(random() % 60) - 80);
    reduction::deposit<T>(value, [&](int slot, std::int64_t amount) { never[slot] += amount; });
    reduction::deposit<T>(value, [&](int slot, std::int64_t amount) { often[slot] += amount; });
    if (i % 97 == 0) reduction::carry_limbs(often, Slots::limbs);
  }
  EXPECT_EQ(bits_of_value(rounded_sum<T>(often)), bits_of_value(rounded_sum<T>(never)));
}

}  // namespace
}  // namespace detbench
