#include "kernels/dropout/step_dropout.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/dropout/step_mask.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/philox.hpp"
#include "tests/kernels/dropout/step_dropout_runs.hpp"

namespace detbench {
namespace {

using testing::run_on_cpu;
using testing::step_dropout_run;
using testing::values_of;

std::vector<float> kept(const StepDropout& dropout, std::int32_t step, int threads = 2) {
  return values_of<float>(run_on_cpu(step_dropout_run(dropout, DataType::f32, step), threads)[0]);
}

TEST(StepDropout, DropsWhatPhiloxSaysAndScalesTheRest) {
  const StepDropout dropout{3, 1367, 0.3, false, 11, "dropout/top"};
  const std::uint64_t key = stream_key(11, "dropout/top");
  for (const std::int32_t step : {0, 1, 77777}) {
    const auto run = step_dropout_run(dropout, DataType::f32, step);
    const auto x = values_of<float>(run.inputs[0]), y = values_of<float>(run_on_cpu(run, 1)[0]);
    EXPECT_EQ(kept(dropout, step, 5), y);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::uint32_t word = philox4x32(i / 4, static_cast<std::uint32_t>(step), 0, key).w[i % 4];
      ASSERT_EQ(y[i], word < static_cast<std::uint32_t>(0.3 * 4294967296.0) ? 0.0f : x[i] * static_cast<float>(1 / 0.7)) << i;
    }
  }
}

// What a GPU's threads run, here one after the other and last group first.
TEST(StepDropout, AThreadPerPhiloxCallGivesTheSame) {
  const StepDropout dropout{1, 4103, 0.3, false, 11, "dropout/top"};
  const auto run = step_dropout_run(dropout, DataType::f16, 5);
  const auto x = values_of<std::uint16_t>(run.inputs[0]);
  std::vector<std::uint16_t> y(x.size(), 0xFFFF);
  const std::int32_t step = 5;
  const dropout::ApplyStep<F16> apply{dropout::mask_of(dropout), 4103, x.data(), y.data(), &step};
  for (std::uint32_t group = (4103 + 3) / 4; group-- > 0;) apply(group);
  EXPECT_EQ(testing::bytes_of(y), run_on_cpu(run)[0]);
}

TEST(StepDropout, EachStepStreamAndSeedHasItsOwnMaskOfTheRightShare) {
  StepDropout dropout{1, 100000, 0.2, false, 1, "a"};
  const auto mask = [&](std::int32_t step) {
    auto y = kept(dropout, step);
    int dropped = 0;
    for (float& v : y) v = v == 0 ? 1.0f : 0.0f, dropped += v != 0;
    EXPECT_NEAR(dropped, 20000, 6 * std::sqrt(16000.0));
    return y;
  };
  const auto first = mask(0), second = mask(1);
  dropout.stream = "b";
  const auto other_stream = mask(0);
  dropout.stream = "a", dropout.seed = 2;
  const auto other_seed = mask(0);
  for (const auto* other : {&second, &other_stream, &other_seed}) {
    // Independent masks of a share of 0.2 agree on 0.68 of the elements.
    int same = 0;
    for (std::size_t i = 0; i < first.size(); ++i) same += first[i] == (*other)[i];
    EXPECT_NEAR(same, 68000, 6 * std::sqrt(100000 * 0.68 * 0.32));
  }
}

TEST(StepDropout, WholeSamplesGoTogether) {
  const StepDropout dropout{50, 20001, 0.5, true, 4, "drop_connect/block"};
  const auto run = step_dropout_run(dropout, DataType::f32, 3);
  const auto x = values_of<float>(run.inputs[0]), y = values_of<float>(run_on_cpu(run)[0]);
  int dropped = 0;
  for (std::int64_t s = 0; s < 50; ++s) {
    const bool gone = philox4x32(static_cast<std::uint64_t>(s) / 4, 3, 0, stream_key(4, "drop_connect/block")).w[s % 4] < 0x80000000u;
    dropped += gone;
    for (std::int64_t i = s * 20001; i < (s + 1) * 20001; ++i) ASSERT_EQ(y[i], gone ? 0.0f : x[i] * 2) << i;
  }
  EXPECT_GT(dropped, 5);
  EXPECT_LT(dropped, 45);
}

TEST(StepDropout, SixteenBitTypesRoundOnceAndInPlaceIsTheSame) {
  for (const DataType type : {DataType::f16, DataType::bf16})
    for (const bool whole : {false, true}) {
      const StepDropout dropout{5, 1025, 0.3, whole, 4, "x"};
      auto run = step_dropout_run(dropout, type, 9);
      const auto found = run_on_cpu(run);
      auto wide = step_dropout_run(dropout, DataType::f32, 9);
      const auto narrow = values_of<std::uint16_t>(run.inputs[0]);
      std::vector<float> x;
      for (const auto bits : narrow) x.push_back(type == DataType::f16 ? float_from_f16(bits) : float_from_bf16(bits));
      wide.inputs[0] = testing::bytes_of(x);
      std::vector<std::uint16_t> expected;
      for (const float y : values_of<float>(run_on_cpu(wide)[0])) expected.push_back(type == DataType::f16 ? f16_from_float(y) : bf16_from_float(y));
      EXPECT_EQ(values_of<std::uint16_t>(found[0]), expected);
      run.in_place = {0};
      EXPECT_EQ(run_on_cpu(run), found);
    }
}

TEST(StepDropout, RateZeroKeepsEverythingAndNonsenseIsRefused) {
  const StepDropout dropout{2, 9, 0, false, 4, "x"};
  const auto run = step_dropout_run(dropout, DataType::f32, 9);
  EXPECT_EQ(run_on_cpu(run)[0], run.inputs[0]);
  const auto device = std::move(make_cpu_device().value());
  EXPECT_FALSE(plan_step_dropout({2, 9, 1.0, false, 4, "x"}, DataType::f32, *device));
  EXPECT_FALSE(plan_step_dropout({2, 9, NAN, false, 4, "x"}, DataType::f32, *device));
  EXPECT_FALSE(plan_step_dropout({0, 9, 0.1, false, 4, "x"}, DataType::f32, *device));
  EXPECT_FALSE(plan_step_dropout(dropout, DataType::i32, *device));
}

}  // namespace
}  // namespace detbench
