#include "kernels/optimizer/optimizer.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

TEST(SgdMomentum, AgreesWithTheReference) {
  const auto operation = make_sgd_momentum_operation();
  for (std::int64_t n : {1, 100, 20001})
    for (auto fill : {InputFill::rounding, InputFill::wide}) {
      const Problem problem{"sgd_momentum", "n" + std::to_string(n), "f32_f32_strict", "vector"};
      PlanRunner runner(3);
      const auto found = runner.verify(*operation, problem, {"fixed_order", "elementwise", {}, {}}, {fill, 5});
      EXPECT_TRUE(found.passed) << found.reason;
    }
}

// Two steps of Keras's formula by hand, over several tensors in place.
TEST(SgdMomentum, FollowsKerasOverManyTensorsInPlace) {
  const std::vector<std::int64_t> elements{3, 10000, 1};
  PlanRunner runner;
  const auto plan = plan_sgd_momentum(elements, {0.01, 0.9});
  std::vector<Tensor> gradients, weights, velocities;
  for (std::size_t t = 0; t < 3; ++t) {
    gradients.push_back(runner.filled(plan->inputs()[t], {FillSpec::Kind::constant, 1, "g", 0.5 + static_cast<double>(t), 1, 1.0}));
    weights.push_back(runner.filled(plan->inputs()[3 + t], {FillSpec::Kind::constant, 1, "w", 1.0, 1, 1.0}));
    velocities.push_back(runner.filled(plan->inputs()[6 + t], {FillSpec::Kind::constant, 1, "v", 0.0, 1, 1.0}));
  }
  std::vector<Tensor> inputs = gradients, outputs = weights;
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  inputs.insert(inputs.end(), velocities.begin(), velocities.end());
  outputs.insert(outputs.end(), velocities.begin(), velocities.end());
  auto op = plan->bind(inputs, outputs, {}, runner.stream()).value();
  ASSERT_TRUE(op->enqueue());
  ASSERT_TRUE(op->enqueue());
  for (std::size_t t = 0; t < 3; ++t) {
    const double g = 0.5 + static_cast<double>(t), v1 = -0.01 * g, v2 = 0.9 * v1 - 0.01 * g;
    for (std::int64_t i = 0; i < elements[t]; ++i) {
      EXPECT_FLOAT_EQ(static_cast<const float*>(velocities[t].region.data)[i], static_cast<float>(v2));
      EXPECT_FLOAT_EQ(static_cast<const float*>(weights[t].region.data)[i], static_cast<float>(1 + v1 + v2));
    }
  }
}

}  // namespace
}  // namespace detbench
