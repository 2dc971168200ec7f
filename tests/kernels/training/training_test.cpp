#include "tests/kernels/training/training_runs.hpp"

#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

using testing::one;
using testing::run_on_cpu;
using testing::values_of;

std::int32_t integer(const testing::Bytes& bytes) { return values_of<std::int32_t>(bytes)[0]; }

TEST(AllFinite, SeesEveryBadElementWhereverItIs) {
  const std::vector<std::int64_t> elements{1, 20001, 8192};
  const float infinity = std::numeric_limits<float>::infinity();
  for (int threads : {1, 3}) {
    EXPECT_EQ(integer(run_on_cpu(testing::finite_run(elements, -1, 0, 0), threads)[0]), 1);
    for (const float bad : {infinity, -infinity, NAN, -NAN})
      for (const auto& [where, at] : {std::pair{0, 0}, {1, 0}, {1, 8191}, {1, 8192}, {1, 20000}, {2, 8191}})
        EXPECT_EQ(integer(run_on_cpu(testing::finite_run(elements, where, at, bad), threads)[0]), 0) << where << " " << at << " " << bad;
  }
  // The largest number and a denormal are finite.
  EXPECT_EQ(integer(run_on_cpu(testing::finite_run(elements, 1, 5, std::numeric_limits<float>::max()))[0]), 1);
  EXPECT_EQ(integer(run_on_cpu(testing::finite_run(elements, 1, 5, 1e-45f))[0]), 1);
}

TEST(AdvanceStep, CountsAndCountsFiniteStepsAlone) {
  testing::PlanRun always{[](Device& device) { return plan_advance_step(device); }, {}, {}, {one(41)}, 3};
  EXPECT_EQ(integer(run_on_cpu(always)[0]), 44);
  for (const std::int32_t finite : {0, 1}) {
    testing::PlanRun run{[](Device& device) { return plan_advance_step(device, true); }, {one(finite)}, {}, {one(7)}, 2};
    EXPECT_EQ(integer(run_on_cpu(run)[0]), 7 + 2 * finite);
  }
}

TEST(LossScale, GrowsAfterSoManyStepsInARow) {
  testing::PlanRun run{[](Device& device) { return plan_update_loss_scale(4, device); }, {one(1)}, {}, {one(8.0f), one(0)}, 11};
  const auto grown = run_on_cpu(run);
  EXPECT_EQ(values_of<float>(grown[0])[0], 32.0f);
  EXPECT_EQ(integer(grown[1]), 3);
  run.inputs = {one(0)}, run.initial = {one(8.0f), one(3)}, run.runs = 1;
  const auto shrunk = run_on_cpu(run);
  EXPECT_EQ(values_of<float>(shrunk[0])[0], 4.0f);
  EXPECT_EQ(integer(shrunk[1]), 0);
  const auto device = std::move(make_cpu_device().value());
  EXPECT_FALSE(plan_update_loss_scale(0, *device));
}

TEST(MovingStatistics, FollowKerasForManyLayers) {
  const std::vector<std::int64_t> channels{2, 1, 37};
  const auto run = testing::moving_run(channels, 0.99);
  const auto after = run_on_cpu(run);
  ASSERT_EQ(after.size(), 6u);
  for (std::size_t t = 0; t < after.size(); ++t) {
    const auto batch = values_of<float>(run.inputs[t]), before = values_of<float>(run.initial[t]), now = values_of<float>(after[t]);
    for (std::size_t c = 0; c < now.size(); ++c)
      EXPECT_NEAR(now[c], before[c] * 0.99 + batch[c] * 0.01, 1e-6 * (std::abs(before[c]) + std::abs(batch[c])));
  }
  // One layer is the same function.
  auto single = run;
  single.make = [](Device& device) { return plan_moving_statistics(37, 0.99, device); };
  single.inputs = {run.inputs[4], run.inputs[5]}, single.initial = {run.initial[4], run.initial[5]};
  EXPECT_EQ(run_on_cpu(single), (std::vector{after[4], after[5]}));
}

TEST(MovingStatistics, RoundOneMinusMomentumOnce) {
  testing::PlanRun run{[](Device& device) { return plan_moving_statistics(1, 0.999, device); }, {one(1.0f), one(4.0f)}, {}, {one(0.0f), one(1.0f)}};
  const auto after = run_on_cpu(run);
  EXPECT_EQ(values_of<float>(after[0])[0], 0.001f);  // 1 - 0.999f would be 0.00099998713f
  EXPECT_EQ(values_of<float>(after[1])[0], 0.999f + 0.004f);
  const auto device = std::move(make_cpu_device().value());
  EXPECT_FALSE(plan_moving_statistics(1, 1.5, *device));
}

constexpr DataType stored_types[] = {DataType::f32, DataType::f16, DataType::bf16};

float widened(DataType type, const testing::Bytes& bytes, std::size_t i) {
  if (type == DataType::f32) return values_of<float>(bytes)[i];
  const std::uint16_t bits = values_of<std::uint16_t>(bytes)[i];
  return type == DataType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}
std::uint32_t narrowed(DataType type, float value) {
  return type == DataType::f32 ? float_bits(value) : type == DataType::f16 ? f16_from_float(value) : bf16_from_float(value);
}
std::uint32_t bits_of(DataType type, const testing::Bytes& bytes, std::size_t i) {
  return type == DataType::f32 ? values_of<std::uint32_t>(bytes)[i] : values_of<std::uint16_t>(bytes)[i];
}

TEST(CastScale, RoundsTheProductOnceInEveryPairOfTypes) {
  const float scale = 0.3f;
  for (const DataType from : stored_types)
    for (const DataType to : stored_types)
      for (const float* given : {static_cast<const float*>(nullptr), &scale})
        for (const std::int64_t n : {1, 1000}) {
          const auto run = testing::cast_run(n, from, to, given);
          const auto found = run_on_cpu(run)[0];
          const float factor = given ? *given : 1.0f;
          for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
            ASSERT_EQ(bits_of(to, found, i), narrowed(to, widened(from, run.inputs[0], i) * factor)) << to_text(from) << " to " << to_text(to) << " " << i;
        }
  const auto device = std::move(make_cpu_device().value());
  EXPECT_FALSE(plan_cast_scale(3, DataType::i32, DataType::f32, false, *device));
  EXPECT_FALSE(plan_cast_scale(3, DataType::f32, DataType::f64, false, *device));
}

TEST(CastScale, ManyElementsOnManyThreadsInPlace) {
  const float scale = 32768.0f;
  auto run = testing::cast_run(100001, DataType::f32, DataType::f32, &scale);
  const auto separate = run_on_cpu(run, 1);
  run.in_place = {0};
  EXPECT_EQ(run_on_cpu(run, 5), separate);
}

TEST(Rescale, FollowsKeras) {
  for (const DataType type : stored_types) {
    const auto run = testing::rescale_run(1000, 1.0 / 127.5, -1.0, type);
    const auto found = run_on_cpu(run)[0];
    for (std::size_t i = 0; i < 1000; ++i) {
      const float product = widened(type, run.inputs[0], i) * static_cast<float>(1.0 / 127.5);
      ASSERT_EQ(bits_of(type, found, i), narrowed(type, product + -1.0f)) << to_text(type) << " " << i;
    }
  }
  const auto device = std::move(make_cpu_device().value());
  EXPECT_FALSE(plan_rescale(3, 1, 0, DataType::u8, *device));
}

}  // namespace
}  // namespace detbench
