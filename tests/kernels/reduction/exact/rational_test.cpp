// The superaccumulator, the reference's expansion and the accuracy of an answer against rational arithmetic that was not
// written here: Python's fractions.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "kernels/reduction/reference_sum.hpp"
#include "kernels/reduction/sums_reference.hpp"
#include "rational_cases.hpp"

namespace detbench {
namespace {

using reduction::ReferenceSum;
using reduction::Superaccumulator;
using testing::RationalCase;

const std::vector<RationalCase>& cases() {
  static const auto all = testing::rational_cases();
  return all;
}

std::uint64_t result_bits(float value) { return reduction::bits_of(value); }
std::uint64_t result_bits(double value) { return reduction::bits_of(value); }

template <class Source>
using RegisterOf = std::conditional_t<Source::is_product, reduction::ExactProduct<typename Source::Accumulator>, typename Source::Accumulator>;

/// One summand into one of the accumulators.
template <class Source>
void deposit_at(const Source& source, std::int64_t i, std::int64_t* slots) {
  using R = RegisterOf<Source>;
  const auto add = [slots](int slot, std::int64_t amount) { slots[slot] += amount; };
  bool negative_zero = false;
  if constexpr (!Source::is_product) {
    reduction::deposit<R>(source.at(i), add);
    negative_zero = source.at(i) == 0 && std::signbit(source.at(i));
  } else {
    const double x = reduction::widened(source.x[i]), y = reduction::widened(source.y[i]);
    if constexpr (reduction::has_wide<Source>)
      reduction::deposit<R>(source.wide(i), add);
    else
      reduction::deposit_product(x, y, add);
    negative_zero = (x == 0 || y == 0) && std::signbit(x) != std::signbit(y);
  }
  if (!negative_zero) slots[Superaccumulator<R>::not_negative_zero_slot] = 1;
}

TEST(RationalArithmetic, TheCasesCoverEveryTypeAndBothKindsOfSummands) {
  std::set<std::tuple<DataType, bool>> kinds;
  std::size_t infinite = 0, zero = 0;
  for (const auto& c : cases()) {
    kinds.insert({c.stored, c.is_product});
    infinite += c.sum == 0x7f800000 || c.sum == 0x7ff0000000000000;
    zero += c.sum == 0;
  }
  EXPECT_EQ(kinds.size(), 8u);
  EXPECT_GE(infinite, 4u);
  EXPECT_GE(zero, 8u);
}

TEST(RationalArithmetic, TheSuperaccumulatorRoundsEverySumOnceInAnyOrderAndPartition) {
  std::mt19937 random(1);
  for (const auto& c : cases())
    testing::with_source(c, [&](const auto& source, std::int64_t n) {
      using R = RegisterOf<std::decay_t<decltype(source)>>;
      using Slots = Superaccumulator<R>;
      std::vector<std::int64_t> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      for (int round = 0; round < 4; ++round) {
        // Accumulators that are filled apart and joined, as threads and blocks do it.
        const int parts = 1 + round;
        std::vector<std::int64_t> slots(static_cast<std::size_t>(parts * Slots::slots));
        for (std::size_t i = 0; i < order.size(); ++i)
          deposit_at(source, order[i], slots.data() + static_cast<std::ptrdiff_t>(i % static_cast<std::size_t>(parts)) * Slots::slots);
        for (int part = 1; part < parts; ++part)
          for (int slot = 0; slot < Slots::slots; ++slot) slots[static_cast<std::size_t>(slot)] += slots[static_cast<std::size_t>(part * Slots::slots + slot)];
        EXPECT_EQ(result_bits(reduction::rounded_sum<R>(slots.data())), c.sum) << c.name << ", order " << round;
        std::shuffle(order.begin(), order.end(), random);
      }
    });
}

/// Bits of what the reference says, which knows no negative zero.
std::uint64_t rounded_bits(const RationalCase& c, const ReferenceSum& sum) {
  const long double rounded = sum.rounded_to(c.accumulator);
  return c.accumulator == DataType::f64 ? result_bits(static_cast<double>(rounded)) : result_bits(static_cast<float>(rounded));
}
std::uint64_t without_negative_zero(const RationalCase& c) {
  const bool zero = c.sum == (c.accumulator == DataType::f64 ? std::uint64_t{1} << 63 : std::uint64_t{1} << 31);
  return zero ? 0 : c.sum;
}

void expect_answer(const RationalCase& c, const ReferenceSum& sum, const std::string& how) {
  EXPECT_EQ(rounded_bits(c, sum), without_negative_zero(c)) << c.name << ", " << how;
  EXPECT_EQ(sum.terms(), static_cast<std::int64_t>(c.x.size()));
  if (!std::isnan(c.condition)) {
    EXPECT_NEAR(static_cast<double>(sum.magnitude() / std::abs(sum.value())) / c.condition, 1, 1e-12) << c.name << ", " << how;
  }
  if (std::isnan(c.error_ulp)) return;
  const long double error = std::abs(sum.error_of(c.naive));
  EXPECT_DOUBLE_EQ(static_cast<double>(error / sum.unit_at(c.accumulator)), c.error_ulp) << c.name << ", " << how;
}

TEST(RationalArithmetic, TheReferenceIsTheExactSumHoweverItIsAddedUp) {
  std::mt19937 random(2);
  for (const auto& c : cases())
    testing::with_source(c, [&](const auto& source, std::int64_t n) {
      expect_answer(c, ReferenceSum::of(source, n), "superaccumulator");
      std::vector<std::int64_t> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      for (int round = 0; round < 3; ++round) {
        ReferenceSum sum;
        for (const auto i : order) {
          if constexpr (std::decay_t<decltype(source)>::is_product)
            sum.add_product(reduction::widened(source.x[i]), reduction::widened(source.y[i]));
          else
            sum.add(source.at(i));
        }
        expect_answer(c, sum, "expansion, order " + std::to_string(round));
        std::shuffle(order.begin(), order.end(), random);
      }
    });
}

TEST(RationalArithmetic, TheRowsAccuracyIsThatOfTheOutput) {
  std::size_t wrong_answers = 0;
  for (const auto& c : cases()) {
    if (std::isnan(c.error_ulp)) continue;
    testing::with_source(c, [&](const auto& source, std::int64_t n) {
      using T = typename std::decay_t<decltype(source)>::Accumulator;
      const auto reference = reduction::make_sums_reference(Inputs{}, c.accumulator, {ReferenceSum::of(source, n)});
      T out = static_cast<T>(c.naive);
      const Tensor tensor{{"dst", c.accumulator, {1}, canonical_layout({1})}, {&out, sizeof out}};
      const auto found = reference->check({}, std::span(&tensor, 1));
      ASSERT_TRUE(found) << found.error().text;
      ASSERT_TRUE(found->accuracy);
      EXPECT_DOUBLE_EQ(found->accuracy->error_ulp, c.error_ulp) << c.name;
      EXPECT_EQ(found->max_ulp == 0, found->accuracy->error_ulp < 0.5 || out == ReferenceSum::of(source, n).rounded_to(c.accumulator)) << c.name;
      EXPECT_DOUBLE_EQ(found->accuracy->relative_error, std::isnan(c.relative_error) ? 0 : c.relative_error) << c.name;
      EXPECT_EQ(found->accuracy->condition.has_value(), !std::isnan(c.condition)) << c.name;
      EXPECT_FALSE(found->accuracy->error_ulp_min) << "one output was held against the exact sum";
      wrong_answers += found->max_ulp > 0;
    });
  }
  EXPECT_GE(wrong_answers, 20u);  // sums that were all exact would say nothing
}

TEST(Accuracy, LargestOverTheOutputsAndWithoutAConditionOfSeveral) {
  std::vector<ReferenceSum> sums(3);
  for (int i = 0; i < 3; ++i) sums[static_cast<std::size_t>(i)].add(4.0L * i), sums[static_cast<std::size_t>(i)].add(0x1p-30L);
  const auto reference = reduction::make_sums_reference(Inputs{}, DataType::f32, sums);
  std::vector<float> out{0x1p-30f, 4, 8 + 0x1p-20f};
  const Tensor tensor{{"dst", DataType::f32, {3}, canonical_layout({3})}, {out.data(), 12}};
  const auto found = reference->check({}, std::span(&tensor, 1));
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->passed) << found->reason;
  EXPECT_EQ(found->max_ulp, 1u);
  EXPECT_DOUBLE_EQ(found->accuracy->error_ulp, 1 - 0x1p-10);
  EXPECT_NEAR(found->accuracy->relative_error, 0x1p-23 * (1 - 0x1p-10), 1e-15);
  EXPECT_FALSE(found->accuracy->condition);
  out[1] = NAN;
  const auto unwritten = reference->check({}, std::span(&tensor, 1));
  ASSERT_TRUE(unwritten);
  EXPECT_FALSE(unwritten->passed);
  EXPECT_EQ(unwritten->accuracy->error_ulp, HUGE_VAL);
}

TEST(Accuracy, SixteenBitOutputsAreHeldAgainstTheirOwnUnits) {
  for (const auto type : {DataType::f16, DataType::bf16}) {
    const bool half = type == DataType::f16;
    ReferenceSum sum;
    sum.add(1);
    sum.add(half ? 0x1p-11L : 0x1p-8L);  // half a unit: rounds to 1, the even one
    const auto reference = reduction::make_sums_reference(Inputs{}, type, {sum});
    std::uint16_t out = half ? 0x3c00 : 0x3f80;
    const Tensor tensor{{"dst", type, {1}, canonical_layout({1})}, {&out, 2}};
    const auto right = reference->check({}, std::span(&tensor, 1));
    ASSERT_TRUE(right && right->passed) << right->reason;
    EXPECT_EQ(right->max_ulp, 0u);
    EXPECT_EQ(right->accuracy->error_ulp, 0.5);
    out = static_cast<std::uint16_t>(out + 2);
    const auto wrong = reference->check({}, std::span(&tensor, 1));
    EXPECT_FALSE(wrong->passed);
    EXPECT_EQ(wrong->max_ulp, 2u);
    EXPECT_EQ(wrong->accuracy->error_ulp, 1.5);
  }
}

}  // namespace
}  // namespace detbench
