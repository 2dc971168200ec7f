#include "kernels/loss/loss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;
const Algorithm algorithm{"fixed_order", "lanes", {}, {}};

TEST(SoftmaxCrossEntropy, AgreesWithTheReferenceAtAnyThreadCount) {
  const auto operation = make_softmax_cross_entropy_operation();
  for (auto [n, k] : {std::pair{8, 1000}, {1, 1}, {3, 2}, {17, 37}}) {
    std::set<std::string> digests;
    for (int threads : {1, 2, 5})
      for (auto fill : {InputFill::wide, InputFill::rounding})
        for (double smoothing : {0.0, 0.1, 0.75}) {
          const Problem problem = softmax_cross_entropy_problem(n, k, smoothing);
          PlanRunner runner(threads);
          const auto found = runner.verify(*operation, problem, algorithm, {fill, 5});
          EXPECT_TRUE(found.passed) << problem_id(problem) << " " << to_text(fill) << ": " << found.reason;
          if (fill == InputFill::rounding && smoothing == 0.1) digests.insert(to_hex(runner.digest()));
        }
    EXPECT_EQ(digests.size(), 1u);
  }
}

/// Logits and labels given; returns loss and gradient.
std::pair<float, std::vector<float>> evaluate(const std::vector<float>& logits, const std::vector<std::int32_t>& labels, double smoothing = 0) {
  const auto operation = make_softmax_cross_entropy_operation();
  const Problem problem = softmax_cross_entropy_problem(static_cast<std::int64_t>(labels.size()), static_cast<std::int64_t>(logits.size() / labels.size()), smoothing);
  PlanRunner runner;
  auto plan = operation->providers()[0]->plan(problem, algorithm, runner.device()).value();
  std::vector<Tensor> inputs{runner.allocate(plan->inputs()[0]), runner.allocate(plan->inputs()[1])};
  std::memcpy(inputs[0].region.data, logits.data(), logits.size() * 4);
  std::memcpy(inputs[1].region.data, labels.data(), labels.size() * 4);
  EXPECT_TRUE(runner.run(*plan, *operation, problem, {}, inputs));
  const float* diff = static_cast<const float*>(runner.outputs()[1].region.data);
  return {*static_cast<const float*>(runner.outputs()[0].region.data), std::vector<float>(diff, diff + logits.size())};
}

TEST(SoftmaxCrossEntropy, GradientAgreesWithFiniteDifferencesInLongDouble) {
  const std::vector<float> logits{0.5f, -1.25f, 2.0f, 0.125f, 3.0f, -0.75f};
  const std::vector<std::int32_t> labels{2, 0};
  for (const double smoothing : {0.0, 0.1}) {
    const auto loss = [&](std::vector<long double> x) {
      long double total = 0;
      for (int n = 0; n < 2; ++n) {
        long double sum = 0;
        for (int j = 0; j < 3; ++j) sum += std::exp(x[n * 3 + j]);
        for (int j = 0; j < 3; ++j) {
          const long double target = (j == labels[n] ? 1.0L : 0.0L) * (1.0L - smoothing) + smoothing / 3.0L;
          total += target * (std::log(sum) - x[n * 3 + j]);
        }
      }
      return total / 2;
    };
    const auto [value, diff] = evaluate(logits, labels, smoothing);
    std::vector<long double> x(logits.begin(), logits.end());
    EXPECT_NEAR(value, static_cast<double>(loss(x)), 1e-6);
    for (int i = 0; i < 6; ++i) {
      auto above = x, below = x;
      above[i] += 1e-6L, below[i] -= 1e-6L;
      EXPECT_NEAR(diff[i], static_cast<double>((loss(above) - loss(below)) / 2e-6L), 1e-6) << i;
    }
  }
}

// Rows are alike in both arms: on one thread, which meets them in the order of the batch, atomics give the fixed order's bits.
TEST(SoftmaxCrossEntropy, AtomicsDifferInHowRowsMeetAlone) {
  const auto operation = make_softmax_cross_entropy_operation();
  const Algorithm atomic{"openmp", "row_then_atomic", {}, {}};
  for (auto [n, k] : {std::pair{64, 100}, {1, 1}, {2, 5}}) {
    const Problem problem = softmax_cross_entropy_problem(n, k, 0.1);
    PlanRunner one(1);
    ASSERT_TRUE(one.verify(*operation, problem, algorithm, {}).passed);
    const auto expected = to_hex(one.digest());
    EXPECT_TRUE(one.verify(*operation, problem, atomic, {}).passed);
    EXPECT_EQ(to_hex(one.digest()), expected);
    const auto notes = operation->find_provider("openmp")->plan(problem, atomic, one.device()).value()->notes();
    EXPECT_EQ(notes.at("contention"), std::to_string(n));
    EXPECT_EQ(notes.count("cannot_show"), n <= 2 ? 1u : 0u);
    PlanRunner three(3);
    const auto found = three.verify(*operation, problem, atomic, {InputFill::wide, 5});
    EXPECT_TRUE(found.passed) << found.reason;
  }
}

TEST(SoftmaxCrossEntropy, SmoothingIsPartOfTheName) {
  const auto operation = make_softmax_cross_entropy_operation();
  EXPECT_EQ(softmax_cross_entropy_problem(8, 1000, 0.1).shape, "mb8_k1000_ls0.1");
  EXPECT_EQ(softmax_cross_entropy_problem(8, 1000).shape, "mb8_k1000");
  EXPECT_TRUE(operation->check(softmax_cross_entropy_problem(8, 1000, 1e-7)));
  for (const char* shape : {"mb8_k1000_ls1", "mb8_k1000_ls0.1_ls0.1", "mb8_ls0.1", "ls0.1", "mb8_k1000_sl0.1"})
    EXPECT_FALSE(operation->check({"softmax_cross_entropy", shape, "f32_f32_strict", "plain"})) << shape;
}

TEST(SoftmaxCrossEntropy, SurvivesHugeLogitsAndMarksBadLabels) {
  const auto [huge, diff] = evaluate({1e30f, -1e30f, 80.0f, 100.0f}, {0, 1});
  EXPECT_TRUE(std::isfinite(huge));
  for (float d : diff) EXPECT_TRUE(std::isfinite(d));
  EXPECT_TRUE(std::isnan(evaluate({1, 2, 3}, {3}).first));
  EXPECT_TRUE(std::isnan(evaluate({1, 2, 3}, {-1}).first));
}

}  // namespace
}  // namespace detbench
