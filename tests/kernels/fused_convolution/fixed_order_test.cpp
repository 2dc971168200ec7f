// The fixed-order fused convolutions on the CPU: against fp64, against their stated order, over thread counts.
#include <gtest/gtest.h>

#include <cstring>

#include "fused_shapes.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

std::unique_ptr<Operation> operation_of(FusedPattern pattern) {
  auto operations = make_fused_convolution_operations();
  return std::move(operations[pattern == FusedPattern::stats ? 1 : 0]);
}

Algorithm algorithm_of(FusedPattern pattern, Options options = {}) {
  return {"fixed_order", pattern == FusedPattern::stats ? "direct+chunks512" : "direct", std::move(options), {}};
}

TEST(FixedOrderFused, AgreesWithFp64) {
  for (const auto pattern : all_fused_patterns) {
    const auto operation = operation_of(pattern);
    for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16})
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto& p : testing::small_fused(pattern, storage, layout))
          for (const auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
            // f16 has no room for exponents of 12 squared: its sums are infinite in any implementation.
            if (storage == DataType::f16 && fill == InputFill::wide) continue;
            if (storage != DataType::f32 && p.layout == "nchw") continue;  // reorders are no affair of the type
            testing::PlanRunner runner;
            const auto found = runner.verify(*operation, to_problem(p), algorithm_of(pattern), {fill, 5});
            EXPECT_TRUE(found.passed) << problem_id(to_problem(p)) << ": " << found.reason;
            EXPECT_GT(found.checked, 0u);
            if (fill == InputFill::exact) {
              EXPECT_EQ(found.bound_ratio, 0) << problem_id(to_problem(p));
            }
          }
  }
}

/// What verify rests on: the fills leave many results between the ends of the clip.
TEST(FixedOrderFused, MostResultsAreNotClipped) {
  const auto operation = operation_of(FusedPattern::bias_relu6);
  std::size_t inside = 0, all = 0;
  for (const auto fill : {InputFill::exact, InputFill::rounding})
    for (const auto& p : testing::small_fused(FusedPattern::bias_relu6)) {
      testing::PlanRunner runner;
      ASSERT_TRUE(runner.verify(*operation, to_problem(p), algorithm_of(p.pattern), {fill, 5}).passed);
      const auto& dst = runner.outputs()[0];
      const auto* values = static_cast<const float*>(dst.region.data);
      for (std::int64_t i = 0; i < element_count(dst.spec.shape); ++i) inside += values[i] > 0 && values[i] < 6;
      all += static_cast<std::size_t>(element_count(dst.spec.shape));
    }
  EXPECT_GT(inside, all / 5) << inside << " of " << all;
}

std::vector<float> values_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(element_count(tensor.spec.shape)));
  std::memcpy(values.data(), tensor.region.data, values.size() * sizeof(float));
  return values;
}

/// The convolution's own bits, then plain loops in the order that operation.hpp states.
TEST(FixedOrderFused, BitsAreThoseOfTheStatedOrder) {
  for (const auto pattern : all_fused_patterns) {
    const auto operation = operation_of(pattern);
    auto problems = testing::small_fused(pattern);
    problems[2].mb = 50;  // 1250 pixels: three chunks, the last one short
    for (const auto& p : problems) {
      testing::PlanRunner fused, plain;
      auto plan = operation->find_provider("fixed_order")->plan(to_problem(p), algorithm_of(pattern), fused.device());
      ASSERT_TRUE(plan) << plan.error().text;
      ASSERT_TRUE(fused.run(**plan, *operation, to_problem(p), {InputFill::rounding, 5}));
      const auto convolution = make_convolution_operation(Direction::forward);
      const ConvolutionProblem inner = p;
      auto inner_plan = convolution->find_provider("fixed_order")->plan(to_problem(inner), {"fixed_order", "direct", {}, {}}, plain.device());
      ASSERT_TRUE(inner_plan) << inner_plan.error().text;
      ASSERT_TRUE(plain.run(**inner_plan, *convolution, to_problem(inner), {InputFill::rounding, 5}, {fused.inputs()[0], fused.inputs()[1]}));
      auto expected = values_of(plain.outputs()[0]);
      const auto channels = static_cast<std::size_t>(p.oc), pixels = static_cast<std::size_t>(p.pixels());
      if (pattern == FusedPattern::bias_relu6) {
        const auto bias = values_of(fused.inputs()[2]);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const float y = expected[i] + bias[i % channels];
          expected[i] = y < 0 ? 0.0f : y > 6 ? 6.0f : y;
        }
      } else {
        for (std::size_t c = 0; c < channels; ++c) {
          float total = 0, total_of_squares = 0;
          for (std::size_t first = 0; first < pixels; first += 512) {
            volatile float sum = 0, squares = 0;  // volatile: every step is rounded, nothing is fused or reordered
            for (std::size_t i = first; i < std::min(pixels, first + 512); ++i) {
              const float y = expected[i * channels + c];
              volatile float square = y * y;
              sum = sum + y;
              squares = squares + square;
            }
            if (first == 0) total = sum, total_of_squares = squares;
            else total = total + sum, total_of_squares = total_of_squares + squares;
          }
          EXPECT_EQ(values_of(fused.outputs()[1])[c], total) << problem_id(to_problem(p)) << " channel " << c;
          EXPECT_EQ(values_of(fused.outputs()[2])[c], total_of_squares) << problem_id(to_problem(p)) << " channel " << c;
        }
      }
      EXPECT_EQ(std::memcmp(expected.data(), fused.outputs()[0].region.data, expected.size() * sizeof(float)), 0) << problem_id(to_problem(p));
    }
  }
}

TEST(FixedOrderFused, BitsDoNotDependOnThreadsOrLayout) {
  for (const auto pattern : all_fused_patterns) {
    const auto operation = operation_of(pattern);
    for (const auto storage : {DataType::f32, DataType::bf16})
      for (auto p : testing::small_fused(pattern, storage)) {
        std::optional<Digest> first;
        for (const char* layout : {"nhwc", "nchw"})
          for (const int threads : {1, 3}) {
            p.layout = layout;
            testing::PlanRunner runner(threads);
            auto plan = operation->find_provider("fixed_order")->plan(to_problem(p), algorithm_of(pattern), runner.device());
            ASSERT_TRUE(plan) << plan.error().text;
            ASSERT_TRUE(runner.run(**plan, *operation, to_problem(p), {InputFill::rounding, 5}));
            if (!first) first = runner.digest();
            EXPECT_EQ(runner.digest(), *first) << problem_id(to_problem(p)) << " with " << threads << " threads";
          }
      }
  }
}

TEST(FixedOrderFused, RefusesWhatItDoesNotHave) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_fixed_order_fused_convolution();
  auto p = testing::small_fused(FusedPattern::stats)[1];
  p.types.tf32 = true;
  const auto offers = provider->offers(to_problem(p), **device);
  ASSERT_TRUE(offers);
  ASSERT_EQ(offers->size(), 1u);
  EXPECT_TRUE(offers->front().unsupported);
  EXPECT_FALSE(offers->front().algorithm.claim.covers(Scope::batch));
  p.types.tf32 = false;
  EXPECT_FALSE(provider->plan(to_problem(p), {"fixed_order", "direct", {}, {}}, **device));
  EXPECT_FALSE(provider->plan(to_problem(p), algorithm_of(p.pattern, {{"speed", "high"}}), **device));
  EXPECT_TRUE(provider->plan(to_problem(p), algorithm_of(p.pattern, {{"isa", "baseline"}}), **device));
  const auto cudnn = make_cudnn_graph_fused_convolution()->offers(to_problem(p), **device);
  ASSERT_TRUE(cudnn);
  ASSERT_EQ(cudnn->size(), 1u);
  EXPECT_TRUE(cudnn->front().unsupported);
}

}  // namespace
}  // namespace detbench
