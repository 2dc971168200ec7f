#include "models/inference.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "models/catalog.hpp"
#include "models/fold.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

std::unique_ptr<Operation> operation_of(const Problem& problem) {
  for (auto& operation : make_inference_operations({}))
    if (operation->op() == problem.op) return std::move(operation);
  return nullptr;
}

StepProblem forward(const char* model, std::int64_t pixels, std::int64_t batch, const char* types = "f32_f32_strict") {
  return {model, pixels, batch, 10, types, false};
}

TEST(Inference, AgreesWithFp64FoldedAndNot) {
  for (const auto& step : {forward("mobilenet_v2_alpha0.35", 64, 2), forward("efficientnet_b0", 64, 2), forward("efficientnet_lite0", 33, 1), forward("small_cnn", 28, 3)})
    for (const char* policy : {"fixed_order", "library_heuristic"})
      for (const char* bn : {"separate", "folded"}) {
        PlanRunner runner;
        const auto problem = to_problem(step);
        const auto found = runner.verify(*operation_of(problem), problem, {"network", policy, {{"bn", bn}}, {}}, {});
        EXPECT_TRUE(found.passed) << problem_id(problem) << " " << policy << " " << bn << ": " << found.reason;
        EXPECT_EQ(found.checked, static_cast<std::uint64_t>(step.batch * 10));
        EXPECT_GT(found.bound_ratio, 0);  // logits that were all zero would agree too
      }
}

TEST(Inference, RunsInBfloat16) {
  PlanRunner runner;
  const auto problem = to_problem(forward("mobilenet_v2_alpha0.35", 64, 2, "bf16_f32_strict"));
  const auto found = runner.verify(*operation_of(problem), problem, {"network", "fixed_order", {}, {}}, {});
  EXPECT_TRUE(found.passed) << found.reason;
  EXPECT_GT(found.relative_l2, 1e-4);  // or the storage was not narrow at all
}

TEST(Inference, ASampleHasItsPlaceInALargerBatch) {
  const auto problem = to_problem(forward("mobilenet_v2_alpha0.35", 32, 2));
  const auto operation = operation_of(problem);
  EXPECT_EQ(operation->batch_size(problem).value(), 2);
  const auto variant = operation->in_batch(problem, 8, 3).value();
  EXPECT_EQ(variant.problem.shape, "alpha0.35_px32_mb8_classes10");
  EXPECT_EQ(variant.inputs.front()->offset, 3);
  EXPECT_FALSE(variant.inputs.back());
  PlanRunner runner;
  const auto plan = operation->providers()[0]->plan(problem, {"network", "fixed_order", {}, {}}, runner.device()).value();
  EXPECT_EQ(variant.inputs.size(), plan->inputs().size());
  EXPECT_EQ(variant.outputs.size(), plan->outputs().size());
}

TEST(Inference, RefusesNonsense) {
  const auto problem = to_problem(forward("small_cnn", 28, 1));
  const auto operation = operation_of(problem);
  PlanRunner runner;
  const auto plan = [&](Options options) { return operation->providers()[0]->plan(problem, {"network", "fixed_order", std::move(options), {}}, runner.device()); };
  EXPECT_NE(plan({{"bn", "molten"}}).error().text.find("folded"), std::string::npos);
  EXPECT_NE(plan({{"steps", "3"}}).error().text.find("steps"), std::string::npos);
  EXPECT_FALSE(operation->fill(problem, {"noise", DataType::f32, {1}, {}}, {}));
}

// A second, plain formula: batch norm after the convolution equals the folded convolution, by hand on one pixel.
TEST(Fold, MovesTheBatchNormIntoKernelAndBias) {
  NetworkBuilder b("one", {1, 1, 1}, 2);
  int x = b.convolution("c", 0, 2, 1, 1);
  x = b.batch_norm("n", x, Activation::relu6);
  x = b.global_avg_pool("p", x);
  x = b.dense("d", x, 2);
  b.softmax_cross_entropy("loss", x);
  const auto network = b.take();
  const auto folded = fold_batch_norm(network).value();
  ASSERT_EQ(folded.network.layers.size(), network.layers.size());
  EXPECT_EQ(folded.network.moving_count(), 0);
  const std::vector<std::vector<float>> parameters{{2, -3}, {0.5f, 4}, {1, -1}, {1, 2, 3, 4}, {5, 6}}, moving{{0.25f, -2}, {3, 0.5f}};
  const auto kernel = folded_values(folded, 0, parameters, moving), bias = folded_values(folded, 1, parameters, moving);
  for (int k = 0; k < 2; ++k) {
    const double in = 0.7, y = parameters[0][k] * in;
    const double normed = parameters[1][k] * (y - moving[0][k]) / std::sqrt(moving[1][k] + 1e-3) + parameters[2][k];
    EXPECT_NEAR(kernel[k] * in + bias[k], normed, 1e-6 * std::abs(normed));
  }
  EXPECT_EQ(folded_values(folded, 2, parameters, moving), parameters[3]);
}

}  // namespace
}  // namespace detbench
