#include "kernels/optimizer/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/optimizer/optimizer_runs.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;
using testing::Update;
using testing::values_of;

const Algorithm algorithm{"fixed_order", "elementwise", {}, {}};

const std::vector<std::pair<std::string, std::vector<const char*>>> shapes{
    {"sgd_momentum", {"", "_lr0.5_m0.5_nesterov1", "_m0_wd0.1", "_nesterov1_wd0.01"}},
    {"rmsprop", {"", "_lr0.016_m0.9_eps0.001", "_rho0.5_centered1", "_m0.9_centered1_wd0.01"}},
    {"adam", {"", "_lr0.5_eps0.1_t1000_amsgrad1", "_betaone0.5_betatwo0.75_t3_wd0.25", "_t100000"}}};

TEST(Optimizers, AgreeWithTheReference) {
  const auto operations = make_optimizer_operations();
  ASSERT_EQ(operations.size(), shapes.size());
  for (std::size_t o = 0; o < operations.size(); ++o)
    for (const std::string options : shapes[o].second)
      for (std::int64_t n : {1, 100, 20001})
        for (auto fill : {InputFill::rounding, InputFill::wide}) {
          const Problem problem{shapes[o].first, "n" + std::to_string(n) + options, "f32_f32_strict", "vector"};
          PlanRunner runner(3);
          const auto found = runner.verify(*operations[o], problem, algorithm, {fill, 5});
          EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
          EXPECT_GT(found.bound_ratio, 0) << problem_id(problem);
        }
}

// The bound has to refuse what a slightly other formula gives: epsilon behind the root, a missing correction.
TEST(Optimizers, TheReferenceRefusesAnotherFormula) {
  const auto operations = make_optimizer_operations();
  for (const auto& [asked, given] : {std::pair{"n500_eps0.01", "n500_eps0.0101"}, {"n500", "n500_rho0.9001"}, {"n500_m0.5", "n500_m0.500001"}}) {
    const Problem wanted{"rmsprop", asked, "f32_f32_strict", "vector"}, other{"rmsprop", given, "f32_f32_strict", "vector"};
    PlanRunner runner;
    auto plan = operations[1]->providers()[0]->plan(other, algorithm, runner.device()).value();
    ASSERT_TRUE(runner.run(*plan, *operations[1], wanted, {InputFill::rounding, 5}));
    EXPECT_FALSE((*operations[1]->reference(wanted, {InputFill::rounding, 5}))->check(algorithm, runner.outputs())->passed) << given;
  }
}

TEST(Optimizers, NamesRoundTripAndNonsenseIsRefusedInOneLine) {
  const auto operations = make_optimizer_operations();
  for (std::size_t o = 0; o < operations.size(); ++o) {
    for (const std::string options : shapes[o].second) {
      const Problem problem{shapes[o].first, "n7" + options, "f32_f32_strict", "vector"};
      EXPECT_TRUE(operations[o]->check(problem)) << problem_id(problem);
      const auto parsed = parse_case_id(case_id(problem, algorithm));
      ASSERT_TRUE(parsed) << problem_id(problem);
      EXPECT_EQ(parsed->problem, problem);
      EXPECT_TRUE(operations[o]->check(parsed->problem));
    }
    for (const char* shape : {"n0", "lr0.1", "n7_n7", "n7_lr0.1_lr0.1", "n7_q1", "n7_wd0.1_lr0.1", "n7_nesterov2", "n7_m2", "n7_rho1", "n7_eps0", "n7_t0", "n7_betaone1", "n1.5"}) {
      const auto status = operations[o]->check({shapes[o].first, shape, "f32_f32_strict", "vector"});
      ASSERT_FALSE(status) << shapes[o].first << " " << shape;
      EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    }
    EXPECT_FALSE(operations[o]->check({shapes[o].first, "n7", "f16_f32_strict", "vector"}));
    EXPECT_FALSE(operations[o]->check({shapes[o].first, "n7", "f32_f32_strict", "nhwc"}));
  }
}

// Pieces, threads and vectors end at odd places; separate outputs give what in-place ones give.
TEST(Optimizers, OneOpUpdatesEveryTensorTheSameAtAnyThreadCountAndInPlace) {
  for (const auto& [name, spec] : testing::every_optimizer()) {
    auto run = testing::run_of(Update{spec, {3, 20001, 1, 8192, 17}, {true, false, true, true, false}});
    run.runs = 1;
    const auto one = testing::run_on_cpu(run, 1);
    ASSERT_EQ(one.size(), 5u * (1 + static_cast<std::size_t>(optimizer_slots(spec)))) << name;
    EXPECT_EQ(testing::run_on_cpu(run, 5), one) << name;
    auto separate = run;
    separate.in_place.clear();
    EXPECT_EQ(testing::run_on_cpu(separate, 2), one) << name;
    // Tensor by tensor the same, so that no element's place matters.
    const auto alone = testing::run_of(Update{spec, {3}, {true}});
    auto first = alone;
    first.inputs[0] = run.inputs[0], first.inputs[1] = run.inputs[5];
    EXPECT_EQ(testing::run_on_cpu(first).at(0), one.at(0)) << name;
  }
}

TEST(Optimizers, DecayLeavesOutTheTensorsItIsNotFor) {
  OptimizerSpec spec;
  spec.weight_decay = 0.5;
  auto run = testing::run_of(Update{spec, {4, 4}, {true, false}, {0.25}});
  const std::vector<float> ones(4, 1.0f), zeros(4, 0.0f);
  run.inputs[0] = run.inputs[1] = testing::bytes_of(zeros), run.inputs[2] = run.inputs[3] = testing::bytes_of(ones);
  const auto after = testing::run_on_cpu(run);
  EXPECT_EQ(values_of<float>(after[0]), std::vector<float>(4, 0.875f));
  EXPECT_EQ(values_of<float>(after[1]), ones);
}

TEST(Optimizers, AStepReadsItsRateAndPastTheTableTheLastOne) {
  OptimizerSpec spec;
  const std::vector<float> expected{0.5f, 0.75f, 0.875f};
  for (const std::int32_t step : {0, 1, 2, 3, 1000000}) {
    auto run = testing::run_of(Update{spec, {1}, {false}, {0.5, 0.25, 0.125}, step});
    run.inputs[0] = run.inputs[1] = testing::bytes_of(std::vector<float>{1.0f});
    EXPECT_EQ(values_of<float>(testing::run_on_cpu(run)[0])[0], expected[static_cast<std::size_t>(std::min(step, 2))]) << step;
  }
}

TEST(Optimizers, ALossScaleDividesExactlyAndANonFiniteStepChangesNothing) {
  for (const auto& [name, spec] : testing::every_optimizer()) {
    const Update plain{spec, {9, 5000}, {true, true}};
    auto scaled = plain, skipped = plain;
    scaled.loss_scale = 32768.0f, skipped.loss_scale = 32768.0f, skipped.finite = 0;
    auto scaled_run = testing::run_of(scaled, true);
    for (int t = 0; t < 2; ++t) {
      auto gradient = values_of<float>(scaled_run.inputs[t]);
      for (float& g : gradient) g *= 32768.0f;
      scaled_run.inputs[t] = testing::bytes_of(gradient);
    }
    EXPECT_EQ(testing::run_on_cpu(scaled_run), testing::run_on_cpu(testing::run_of(plain, true))) << name;
    auto skipped_run = testing::run_of(skipped, true);
    skipped_run.inputs[0] = testing::bytes_of(std::vector<float>(9, NAN));
    for (const bool in_place : {true, false}) {
      if (!in_place) skipped_run.in_place.clear();
      const auto after = testing::run_on_cpu(skipped_run);
      for (std::size_t o = 0; o < after.size(); ++o) EXPECT_TRUE(after[o] == skipped_run.inputs[2 + o]) << name << " " << o;
    }
  }
}

TEST(Optimizers, PaddingStaysZero) {
  for (const auto& [name, spec] : testing::every_optimizer()) {
    auto run = testing::run_of(Update{spec, {100}, {true}});
    run.inputs[0] = run.inputs[1] = testing::bytes_of(std::vector<float>(100));
    for (const auto& output : testing::run_on_cpu(run)) EXPECT_EQ(output, testing::bytes_of(std::vector<float>(100))) << name;
  }
}

TEST(Optimizers, PlansRefuseWhatMakesNoSense) {
  const auto device = std::move(make_cpu_device().value());
  OptimizerSpec spec;
  spec.kind = OptimizerSpec::adam;
  EXPECT_TRUE(plan_optimizer({4}, {true}, spec, true, 3, *device));
  EXPECT_FALSE(plan_optimizer({4}, {true, false}, spec, false, 3, *device));
  EXPECT_FALSE(plan_optimizer({4}, {true}, spec, false, 0, *device));
  for (auto change : std::vector<void (*)(OptimizerSpec&)>{[](auto& s) { s.epsilon = 0; }, [](auto& s) { s.beta2 = 1; }, [](auto& s) { s.weight_decay = -1; },
                                                            [](auto& s) { s.momentum = NAN; }, [](auto& s) { s.rho = 1.5; }}) {
    auto bad = spec;
    change(bad);
    EXPECT_FALSE(plan_optimizer({4}, {true}, bad, false, 3, *device));
  }
}

// alpha in long double: the f32 table is right to a few units, except for what f32 powers lose in 1 - beta^t.
TEST(RateTable, HoldsAdamsCorrection) {
  OptimizerSpec spec;
  spec.kind = OptimizerSpec::adam;
  const auto table = rate_table(spec, std::vector<double>(3000, 0.001));
  ASSERT_EQ(table.size(), 6000u);
  for (int t : {1, 2, 10, 100, 3000}) {
    const long double alpha = 0.001L * std::sqrt(1 - std::pow(static_cast<long double>(0.999f), t)) / (1 - std::pow(static_cast<long double>(0.9f), t));
    EXPECT_EQ(table[2 * t - 2], 0.001f);
    EXPECT_NEAR(table[2 * t - 1] / alpha, 1, 1e-4 / t + 1e-6) << t;
  }
  EXPECT_EQ(rate_table(OptimizerSpec{}, {0.5, 0.25}), (std::vector<float>{0.5f, 0.5f, 0.25f, 0.25f}));
}

}  // namespace
}  // namespace detbench
