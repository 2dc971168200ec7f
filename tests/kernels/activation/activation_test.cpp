#include "kernels/activation/activation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "kernels/activation/elementwise.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

TEST(Activation, AgreesWithTheReference) {
  for (const auto& operation : make_activation_operations())
    for (std::int64_t n : {1, 7, 4099})
      for (auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
        if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
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

// One functor for the CPU's loops and a GPU's threads: index by index, with both index types, the bits of the CPU's arm.
TEST(Activation, FunctorsGiveTheSameBitsWithAnyThreadsAndIndices) {
  using activation::Kind;
  const std::pair<const char*, Kind> all[] = {{"relu6_fwd", Kind::relu6_forward}, {"relu6_bwd", Kind::relu6_backward}, {"add", Kind::sum},
                                              {"swish_fwd", Kind::swish_forward}, {"swish_bwd", Kind::swish_backward}};
  const auto operations = make_activation_operations();
  ASSERT_EQ(operations.size(), std::size(all));
  for (std::size_t o = 0; o < operations.size(); ++o) {
    ASSERT_EQ(operations[o]->op(), all[o].first);
    const Problem problem = vector_problem(all[o].first, 4099);
    std::set<std::string> digests;
    for (const int threads : {1, 2, 5}) {
      PlanRunner runner(threads);
      ASSERT_TRUE(runner.verify(*operations[o], problem, {"fixed_order", "elementwise", {}, {}}, {InputFill::wide, 5}).passed);
      digests.insert(to_hex(runner.digest()));
      const auto at = [&](std::size_t i) { return static_cast<const float*>(runner.inputs()[i].region.data); };
      std::vector<float> out(4099);
      activation::with_functor(all[o].second, {at(0), runner.inputs().size() > 1 ? at(1) : nullptr, out.data()}, [&](const auto& f) {
        for (std::uint32_t i = 0; i < 2000; ++i) f(i);
        for (std::uint64_t i = 2000; i < 4099; ++i) f(i);
      });
      EXPECT_EQ(std::memcmp(out.data(), runner.outputs()[0].region.data, out.size() * sizeof(float)), 0) << all[o].first;
    }
    EXPECT_EQ(digests.size(), 1u) << all[o].first;
  }
}

// Against long double, and the gradient against differences: ours is within two units in the last place of the true value.
TEST(Activation, SwishIsXTimesItsSigmoid) {
  std::vector<float> x, dy, y(2001), dx(2001);
  for (int i = 0; i <= 2000; ++i) x.push_back(static_cast<float>(i - 1000) * 0.03f), dy.push_back(1.5f);
  const activation::SwishForward forward{{x.data(), nullptr, y.data()}};
  const activation::SwishBackward backward{{x.data(), dy.data(), dx.data()}};
  const auto swish = [](long double v) { return v / (1 + std::exp(-v)); };
  for (std::uint32_t i = 0; i < x.size(); ++i) {
    forward(i), backward(i);
    const long double v = x[i], h = 1e-7L;
    EXPECT_NEAR(y[i], static_cast<double>(swish(v)), 2 * 0x1p-23 * std::abs(static_cast<double>(swish(v)))) << x[i];
    EXPECT_NEAR(dx[i], 1.5 * static_cast<double>((swish(v + h) - swish(v - h)) / (2 * h)), 2e-6) << x[i];
  }
}

TEST(Activation, SwishHasAOneDnnArmThatAgrees) {
  for (const auto& operation : make_activation_operations()) {
    const Provider* provider = operation->find_provider("onednn");
    EXPECT_EQ(provider != nullptr, operation->op().starts_with("swish")) << operation->op();
    if (provider == nullptr) continue;
    const Problem problem = vector_problem(std::string(operation->op()), 5003);
    PlanRunner runner;
    const auto offers = provider->offers(problem, runner.device()).value();
    for (const Offer& offer : offers) {
      if (offer.unsupported) continue;
      const auto found = runner.verify(*operation, problem, offer.algorithm, {InputFill::rounding, 5});
      EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << ": " << found.reason;
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
