#include "models/train_step.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/training.hpp"
#include "tests/kernels/plan_runner.hpp"
#include "tests/models/committed_bits.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;
const StepProblem small{"mobilenet_v2_alpha0.35", 64, 4, 20};

std::unique_ptr<Operation> mobilenet(const PolicySource& source = {}) {
  for (auto& operation : make_train_step_operations(source))
    if (operation->op() == "train_step_mobilenet_v2") return std::move(operation);
  return nullptr;
}

TEST(StepProblem, HasOneNameAndReadsItBack) {
  EXPECT_EQ(problem_id(to_problem(StepProblem{"mobilenet_v2_alpha0.35", 96, 8, 1000})), "train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc");
  EXPECT_EQ(to_problem(StepProblem{"mobilenet_v2_alpha1.0", 224, 32, 10}).shape, "alpha1.0_px224_mb32_classes10");
  const auto back = parse_step_problem(to_problem(StepProblem{"mobilenet_v2_alpha1.4", 160, 3, 7})).value();
  EXPECT_EQ(back.model, "mobilenet_v2_alpha1.4");
  EXPECT_EQ(back.pixels, 160);
  EXPECT_EQ(back.batch, 3);
  EXPECT_EQ(back.classes, 7);
  for (const char* shape : {"alpha1_px96_mb8_classes10", "alpha0.350_px96_mb8_classes10", "alpha0.35_px31_mb8_classes10", "alpha0.35_px96_mb0_classes10",
                            "alpha0.35_px96_mb8", "px96_alpha0.35_mb8_classes10", "alpha0.0_px96_mb8_classes10", "alpha1.2.3_px96_mb8_classes10"}) {
    const auto r = parse_step_problem({"train_step_mobilenet_v2", shape, "f32_f32_strict", "nhwc"});
    ASSERT_FALSE(r) << shape;
    EXPECT_EQ(r.error().text.find('\n'), std::string::npos);
  }
}

TEST(TrainStepOperation, OffersEveryPolicyAndSaysWhyOneIsMissing) {
  const auto operation = mobilenet({{"fastest", "fastest_observed:partition"}, [](const std::string& policy, const Network&, std::int64_t, const std::string&, Device&) -> Result<Selection> {
                                                      if (policy == "fastest") return library_heuristic_selection();
                                                      return unsupported("nothing was measured to choose from");
                                                    }});
  PlanRunner runner;
  const auto offers = operation->providers()[0]->offers(to_problem(small), runner.device()).value();
  const auto offered = [&](const std::string& name) -> const Offer& {
    return *std::find_if(offers.begin(), offers.end(), [&](const Offer& o) { return o.algorithm.name == name; });
  };
  ASSERT_EQ(offers.size(), 7u);  // three of cuDNN's policies are there with the reason
  EXPECT_EQ(algorithm_id(offered("fastest").algorithm), "network:fastest@steps=3");
  EXPECT_FALSE(offered("fastest").unsupported);
  EXPECT_EQ(offered("fastest_observed:partition").unsupported->text, "nothing was measured to choose from");
  EXPECT_NE(offered("first_workable_deterministic").unsupported->text.find("no meaning on a CPU"), std::string::npos);
  EXPECT_EQ(offers.back().algorithm.claim.guarantee, Guarantee::gpu_to_gpu);
  EXPECT_EQ(offers[0].algorithm.claim.guarantee, Guarantee::not_guaranteed);
  const auto plan = [&](const std::string& name, Options options) { return operation->providers()[0]->plan(to_problem(small), {"network", name, options, {}}, runner.device()); };
  EXPECT_EQ(plan("fastest_observed:partition", {}).error().text, "nothing was measured to choose from");
  EXPECT_NE(plan("cheapest", {}).error().text.find("fastest_observed:partition"), std::string::npos);
  EXPECT_NE(plan("fixed_order", {{"steps", "0"}}).error().text.find("steps=0"), std::string::npos);
  EXPECT_NE(plan("fixed_order", {{"speed", "9"}}).error().text.find("speed"), std::string::npos);
  EXPECT_NE(plan("fixed_order", {{"exec", "twice"}}).error().text.find("launches"), std::string::npos);
  EXPECT_NE(plan("fixed_order", {{"ls", "1.5"}}).error().text.find("ls=1.5"), std::string::npos);
  EXPECT_NE(plan("fixed_order", {{"optimizer", "lion"}}).error().text.find("rmsprop"), std::string::npos);
  // A case id names a plan.
  const auto name = parse_case_id(case_id(to_problem(small), offered("fastest").algorithm)).value();
  EXPECT_EQ(name.algorithm.options.at("steps"), "3");
}

TEST(TrainStepOperation, AgreesWithTheFp64NetworkUnderBothBuiltInPolicies) {
  const auto operation = mobilenet();
  for (const char* policy : {"fixed_order", "library_heuristic"})
    for (const char* steps : {"1", "3"}) {
      PlanRunner runner;
      const auto found = runner.verify(*operation, to_problem(small), {"network", policy, {{"steps", steps}}, {}}, {});
      EXPECT_TRUE(found.passed) << policy << " " << steps << ": " << found.reason;
      EXPECT_GT(found.checked, std::string(steps) == "1" ? 400000u : 1u);
    }
}

std::unique_ptr<Operation> operation_of(const Problem& problem) {
  for (auto& operation : make_train_step_operations({}))
    if (operation->op() == problem.op) return std::move(operation);
  return nullptr;
}

// Squeeze-excite, swish, drop-connect, dropout, bias, max pooling, flattening: every kind of layer, forward and backward,
// with every optimizer, under both policies, against fp64.
TEST(TrainStepOperation, EveryKindOfNetworkAgreesWithFp64) {
  const StepProblem networks[] = {{"small_dense", 1, 16, 10}, {"small_cnn", 28, 8, 10}, {"efficientnet_b0", 32, 4, 10}, {"efficientnet_lite0", 64, 4, 10}};
  for (const auto& network : networks)
    for (const char* policy : {"fixed_order", "library_heuristic"})
      for (const char* optimizer : {"sgd", "rmsprop", "adam"}) {
        // The small ones show every pair; of the large ones each policy and two optimizers are seen once.
        if (network.pixels >= 32 && optimizer != std::string(policy == std::string("fixed_order") ? "sgd" : "adam")) continue;
        PlanRunner runner;
        const auto problem = to_problem(network);
        const auto operation = operation_of(problem);
        ASSERT_TRUE(operation) << problem.op;
        Options options{{"steps", "1"}, {"optimizer", optimizer}, {"ls", "0.1"}};
        const auto found = runner.verify(*operation, problem, {"network", policy, options, {}}, {});
        // Adam divides by the gradient's own size in its first step: every element moves by the rate, whatever its error, so
        // only the loss is held there.
        if (std::string(optimizer) != "sgd" && found.reason.find("the first update") != std::string::npos) continue;
        EXPECT_TRUE(found.passed) << problem_id(problem) << " " << policy << " " << optimizer << ": " << found.reason;
      }
}

// 16-bit storage with f32 master weights and, for f16, scaled gradients: the loss falls as it does in f32.
TEST(TrainStepOperation, MixedPrecisionTrains) {
  for (const char* types : {"bf16_f32_strict", "f16_f32_strict"})
    for (const char* model : {"small_cnn", "mobilenet_v2_alpha0.35"}) {
      if (types == std::string("f16_f32_strict") && model != std::string("small_cnn")) continue;  // seconds for what bf16 shows
      StepProblem step{model, std::string(model) == "small_cnn" ? 28 : 64, 8, 10, types};
      PlanRunner runner;
      const auto problem = to_problem(step);
      const auto found = runner.verify(*operation_of(problem), problem, {"network", "fixed_order", {{"steps", "12"}}, {}}, {});
      EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
      const auto* loss = static_cast<const float*>(runner.outputs()[0].region.data);
      EXPECT_LT(loss[11], 0.9f * loss[0]) << problem_id(problem);  // with f16 after some skipped steps
    }
}

TEST(TrainStepOperation, RefusesWhatDoesNotFitIntoMemory) {
  PlanRunner runner;
  const auto fits = fits_in_memory(std::size_t{1} << 50, runner.device());
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().kind, Reason::Kind::out_of_memory);
  EXPECT_NE(fits.error().text.find("1073741824 MiB"), std::string::npos) << fits.error().text;
  EXPECT_NE(fits.error().text.find("too little"), std::string::npos);
  EXPECT_TRUE(fits_in_memory(1, runner.device()));
}

// The check can fail: wrong labels, a parameter left behind, a number that is none.
TEST(TrainStepOperation, VerificationRefusesWrongSteps) {
  const auto operation = mobilenet();
  const auto problem = to_problem(small);
  PlanRunner runner;
  const Algorithm algorithm{"network", "fixed_order", {{"steps", "1"}}, {}};
  ASSERT_TRUE(runner.verify(*operation, problem, algorithm, {}).passed);
  const auto reference = operation->reference(problem, {}).value();
  const auto role = [&](const std::string& name) {
    return *std::find_if(runner.outputs().begin(), runner.outputs().end(), [&](const Tensor& t) { return t.spec.role == name; });
  };
  const auto with_damage = [&](const std::string& name, float factor) {
    const Tensor t = role(name);
    auto* values = static_cast<float*>(t.region.data);
    const std::vector<float> keep(values, values + t.spec.bytes() / sizeof(float));
    for (std::size_t i = 0; i < keep.size(); ++i) values[i] = keep[i] * factor;
    const auto found = reference->check(algorithm, runner.outputs()).value();
    std::copy(keep.begin(), keep.end(), values);
    return found;
  };
  EXPECT_TRUE(with_damage("Conv1/kernel", 1.0f).passed);
  EXPECT_FALSE(with_damage("loss", 1.01f).passed);
  EXPECT_FALSE(with_damage("block_5_expand/kernel", 1.5f).passed);
  EXPECT_FALSE(with_damage("Conv_1_bn/moving_mean", std::numeric_limits<float>::quiet_NaN()).passed);
  EXPECT_TRUE(reference->check(algorithm, runner.outputs())->passed);
}

// METHOD section 10: the fixed-order step has these bits on every CPU, instruction set, thread count and device (the CTests
// models.bits_* run this under DETBENCH_ISA, tests/models/gpu_train_step_test.cpp on a GPU). A change of an order of
// operations, of a fill or of an initializer changes them, and must be meant.
TEST(FixedOrderBits, ThreeStepsGiveTheCommittedDigest) {
  const auto operation = mobilenet();
  const Problem problem = to_problem(StepProblem{"mobilenet_v2_alpha0.35", 96, 8, 1000});
  for (int threads : {1, 2, 3}) {
    PlanRunner runner(threads);
    auto plan = operation->providers()[0]->plan(problem, {"network", "fixed_order", {{"steps", "3"}}, {}}, runner.device());
    ASSERT_TRUE(plan) << plan.error().text;
    ASSERT_TRUE(runner.run(**plan, *operation, problem, {InputFill::rounding, 1}));
    EXPECT_EQ(to_hex(runner.digest()), testing::committed_digest) << threads << " threads";
  }
}

TEST(TrainStepOperation, FillsByRole) {
  const auto operation = mobilenet();
  const auto fill = [&](const char* role, Shape shape) { return operation->fill(to_problem(small), {role, DataType::f32, shape, {}}, {}); };
  EXPECT_EQ(fill("labels", {4})->limit, 20);
  EXPECT_EQ(fill("bn_Conv1/gamma", {16})->scale, 1.0);
  EXPECT_EQ(fill("bn_Conv1/beta", {16})->scale, 0.0);
  EXPECT_GT(fill("Conv1/kernel", {1, 16, 3, 3, 3})->scale, 0.1);
  EXPECT_FALSE(fill("noise", {1}));
  const auto cost = operation->cost(to_problem(StepProblem{"mobilenet_v2_alpha1.0", 224, 1, 1000}));
  EXPECT_NEAR(cost.flops / 1e9, 1.80, 0.01);  // train GFLOP per image of the model tables
}

}  // namespace
}  // namespace detbench
