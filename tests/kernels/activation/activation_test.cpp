#include "kernels/activation/activation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

TEST(Activation, AgreesWithTheReference) {
  for (const auto& operation : make_activation_operations())
    for (std::int64_t n : {1, 7, 4099})
      for (auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
        const Problem problem = vector_problem(std::string(operation->op()), n);
        ASSERT_TRUE(operation->check(problem));
        PlanRunner runner(3);
        const auto found = runner.verify(*operation, problem, {"fixed_order", "elementwise", {}, {}}, {fill, 5});
        EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
        EXPECT_EQ(found.checked, static_cast<std::uint64_t>(n));
      }
}

TEST(Activation, Relu6KeepsNanAndItsKinksHaveNoGradient) {
  const auto operations = make_activation_operations();
  PlanRunner runner;
  const float values[] = {-1.0f, -0.0f, 0.0f, 3.0f, 6.0f, 7.0f, std::nanf("")};
  for (int op : {0, 1}) {
    const Problem problem = vector_problem(std::string(operations[op]->op()), 7);
    auto plan = operations[op]->providers()[0]->plan(problem, {"fixed_order", "elementwise", {}, {}}, runner.device()).value();
    std::vector<Tensor> inputs;
    for (const auto& spec : plan->inputs()) inputs.push_back(runner.filled(spec, {FillSpec::Kind::constant, 1, "g", 2.0, 1, 1.0}));
    std::memcpy(inputs[0].region.data, values, sizeof values);
    ASSERT_TRUE(runner.run(*plan, *operations[op], problem, {}, inputs));
    const float* out = static_cast<const float*>(runner.outputs()[0].region.data);
    const float forward[] = {0, 0, 0, 3, 6, 6}, backward[] = {0, 0, 0, 2, 0, 0};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(out[i], op == 0 ? forward[i] : backward[i]) << op << " " << i;
    if (op == 0) {
      EXPECT_TRUE(std::isnan(out[6]));
    }
  }
}

TEST(Activation, RefusesWhatItDoesNotKnow) {
  const auto operations = make_activation_operations();
  EXPECT_NE(operations[0]->check({"relu6_fwd", "n0", "f32_f32_strict", "vector"}).error().text.find("n0"), std::string::npos);
  EXPECT_NE(operations[0]->check({"relu6_fwd", "n8", "f32_f32_strict", "nhwc"}).error().text.find("nhwc"), std::string::npos);
  EXPECT_NE(operations[0]->check({"relu6_fwd", "n8", "f16_f32_strict", "vector"}).error().text.find("f16"), std::string::npos);
}

}  // namespace
}  // namespace detbench
