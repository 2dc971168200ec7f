#include "kernels/normalization/batch_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "kernels/normalization/kernels.hpp"
#include "kernels/simple_operation.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench::normalization {
Result<SimplePlanParts> make_fixed_order_parts(const Problem& problem, const Kernels& kernels);
}

namespace detbench {
namespace {

using testing::PlanRunner;

const Operation& operation_named(const std::string& op) {
  static const auto operations = make_batch_norm_operations();
  for (const auto& o : operations)
    if (o->op() == op) return *o;
  throw std::runtime_error(op);
}

const char* const all_ops[] = {"batch_norm_fwd",       "batch_norm_relu_fwd",       "batch_norm_relu6_fwd",       "batch_norm_swish_fwd",
                               "batch_norm_bwd",       "batch_norm_relu_bwd",       "batch_norm_relu6_bwd",       "batch_norm_swish_bwd",
                               "batch_norm_inference", "batch_norm_relu_inference", "batch_norm_relu6_inference", "batch_norm_swish_inference"};
const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};
// Odd channel counts, planes that are no multiple of the lanes, one chunk and several chunks that end inside images.
const char* const shapes[] = {"mb2_c24_h7_w5", "mb3_c37_h9_w9", "mb1_c1_h1_w1", "mb5_c16_h12_w11", "mb2_c144_h3_w3"};

struct Case {
  std::string op, shape, types, layout;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << problem_id({c.op, c.shape, c.types, c.layout}); }
};
class EveryOffer : public ::testing::TestWithParam<Case> {};

TEST_P(EveryOffer, AgreesWithTheReference) {
  const auto& c = GetParam();
  const auto& operation = operation_named(c.op);
  const Problem problem{c.op, c.shape, c.types, c.layout};
  PlanRunner runner;
  int tried = 0;
  for (const auto& provider : operation.providers()) {
    const auto offers = provider->offers(problem, runner.device()).value();
    for (const auto& offer : offers) {
      if (offer.unsupported) continue;
      for (auto fill : {InputFill::rounding, InputFill::wide}) {
        const auto found = runner.verify(operation, problem, offer.algorithm, {fill, 7});
        EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason << " ratio " << found.bound_ratio;
        EXPECT_GT(found.checked, 0u);
        ++tried;
      }
    }
  }
  EXPECT_GE(tried, 2);
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const char* op : all_ops)
    for (const char* shape : shapes)
      for (const char* types : all_types)
        for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c", "blocked"}) cases.push_back({op, shape, types, layout});
  return cases;
}
INSTANTIATE_TEST_SUITE_P(BatchNorm, EveryOffer, ::testing::ValuesIn(every_case()),
                         [](const auto& info) { return info.param.op + "_" + info.param.shape + "_" + info.param.types + "_" + info.param.layout; });

TEST(FixedOrderBatchNorm, BitsDoNotDependOnThreadsLayoutOrInstructionSet) {
  for (const char* op : all_ops)
    for (const std::string shape_and_types : {"mb3_c37_h9_w9 f32_f32_strict", "mb4_c40_h24_w24 f32_f32_strict", "mb3_c37_h9_w9 f16_f32_strict", "mb3_c37_h9_w9 bf16_f32_strict"}) {
      const auto space = shape_and_types.find(' ');
      const std::string shape = shape_and_types.substr(0, space), types = shape_and_types.substr(space + 1);
      std::set<std::string> digests;
      int runs = 0;
      for (int threads : {1, 2, 3, 5})
        for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c"})
          for (auto set : {normalization::InstructionSet::baseline, normalization::InstructionSet::avx2, normalization::InstructionSet::avx512}) {
            const auto* kernels = normalization::kernels_for(set);
            if (!kernels || (threads != 3 && set != normalization::InstructionSet::baseline)) continue;
            const Problem problem{op, shape, types, layout};
            SimplePlan plan(normalization::make_fixed_order_parts(problem, *kernels).value());
            PlanRunner runner(threads);
            ASSERT_TRUE(runner.run(plan, operation_named(op), problem, {InputFill::rounding, 3}));
            digests.insert(to_hex(runner.digest()));
            ++runs;
          }
      EXPECT_EQ(digests.size(), 1u) << op << " " << shape_and_types;
      EXPECT_GE(runs, 16);
    }
}

// Chunks are alike in both arms: on one thread, which meets them in ascending order, atomics give the fixed order's bits.
TEST(AtomicBatchNorm, DiffersInHowChunksMeetAlone) {
  for (const char* op : all_ops)
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c"}) {
        const Problem problem{op, "mb4_c40_h24_w24", types, layout};
        const auto& operation = operation_named(op);
        PlanRunner runner(1);
        const Algorithm atomic{"openmp", "chunk_atomic", {}, {}};
        const auto plan = operation.find_provider("openmp")->plan(problem, atomic, runner.device());
        if (std::string(op).ends_with("_inference")) {
          ASSERT_FALSE(plan);
          EXPECT_EQ(plan.error().kind, Reason::Kind::unsupported);
          continue;
        }
        ASSERT_TRUE(plan) << plan.error().text;
        EXPECT_EQ((*plan)->notes().at("contention"), "18");
        const auto fixed = operation.find_provider("fixed_order")->plan(problem, {"fixed_order", "chunks", {}, {}}, runner.device()).value();
        ASSERT_TRUE(runner.run(*fixed, operation, problem, {}));
        const auto expected = to_hex(runner.digest());
        ASSERT_TRUE(runner.run(**plan, operation, problem, {}));
        EXPECT_EQ(to_hex(runner.digest()), expected) << problem_id(problem);
      }
}

// E[x^2] - E[x]^2 in f32 would lose everything here: the mean is 4096, the deviation about 1. A chunk mean is rounded by up
// to 2.4e-4 and stands some 0.1 from the mean, so each chunk may be off by 2 * 0.1 * 2.4e-4.
TEST(FixedOrderBatchNorm, VarianceSurvivesALargeMean) {
  const Problem problem = batch_norm_problem(false, Activation::none, 4, 16, 16, 16, "nhwc");
  PlanRunner runner;
  auto plan = operation_named("batch_norm_fwd").find_provider("fixed_order")->plan(problem, {"fixed_order", "chunks", {}, {}}, runner.device()).value();
  std::vector<Tensor> inputs{runner.filled(plan->inputs()[0], {FillSpec::Kind::normal, 5, "x", 1.0, 1, 1.0}),
                             runner.filled(plan->inputs()[1], {FillSpec::Kind::constant, 5, "g", 1.0, 1, 1.0}),
                             runner.filled(plan->inputs()[2], {FillSpec::Kind::constant, 5, "b", 0.0, 1, 1.0})};
  float* x = static_cast<float*>(inputs[0].region.data);
  for (int i = 0; i < 4 * 16 * 16 * 16; ++i) x[i] += 4096.0f;
  ASSERT_TRUE(runner.run(*plan, operation_named("batch_norm_fwd"), problem, {}, inputs));
  const float* variance = static_cast<const float*>(runner.outputs()[2].region.data);
  for (int c = 0; c < 16; ++c) {
    long double mean = 0, spread = 0;
    for (int p = 0; p < 1024; ++p) mean += x[p * 16 + c];
    mean /= 1024;
    for (int p = 0; p < 1024; ++p) spread += (x[p * 16 + c] - mean) * (x[p * 16 + c] - mean);
    EXPECT_NEAR(variance[c], static_cast<double>(spread / 1024), 1e-4) << c;
  }
}

// The reference itself: the fp64 backward against central differences of an fp64 forward written here anew.
TEST(BatchNormReference, GradientAgreesWithFiniteDifferences) {
  const int m = 12, channels = 3;
  PlanRunner runner;
  const Problem problem = batch_norm_problem(true, Activation::none, 1, channels, 3, 4, "nhwc");
  auto plan = operation_named("batch_norm_bwd").find_provider("fixed_order")->plan(problem, {"fixed_order", "chunks", {}, {}}, runner.device()).value();
  std::vector<Tensor> inputs;
  for (const auto& spec : plan->inputs()) inputs.push_back(runner.filled(spec, {FillSpec::Kind::normal, 11, spec.role, 1.0, 1, 1.0}));
  const auto at = [&](int i) { return static_cast<float*>(inputs[i].region.data); };
  const auto loss = [&](const std::vector<double>& x) {
    double total = 0;
    for (int c = 0; c < channels; ++c) {
      double mean = 0, variance = 0;
      for (int p = 0; p < m; ++p) mean += x[p * channels + c] / m;
      for (int p = 0; p < m; ++p) variance += std::pow(x[p * channels + c] - mean, 2) / m;
      for (int p = 0; p < m; ++p)
        total += at(1)[p * channels + c] * (at(4)[c] * (x[p * channels + c] - mean) / std::sqrt(variance + static_cast<double>(batch_norm_epsilon)));
    }
    return total;
  };
  std::vector<double> x(at(0), at(0) + m * channels);
  for (int c = 0; c < channels; ++c) {  // the op takes the statistics of its forward
    double mean = 0, variance = 0;
    for (int p = 0; p < m; ++p) mean += x[p * channels + c] / m;
    for (int p = 0; p < m; ++p) variance += std::pow(x[p * channels + c] - mean, 2) / m;
    at(2)[c] = static_cast<float>(mean), at(3)[c] = static_cast<float>(variance);
  }
  ASSERT_TRUE(runner.run(*plan, operation_named("batch_norm_bwd"), problem, {}, inputs));
  const float* dx = static_cast<const float*>(runner.outputs()[0].region.data);
  for (int i = 0; i < m * channels; ++i) {
    const double h = 1e-5, keep = x[i];
    x[i] = keep + h;
    const double above = loss(x);
    x[i] = keep - h;
    const double below = loss(x);
    x[i] = keep;
    EXPECT_NEAR(dx[i], (above - below) / (2 * h), 2e-5) << i;
  }
}

TEST(BatchNormProblem, RefusesWhatItDoesNotKnow) {
  const auto reason = [](Problem p) { return parse_batch_norm(p).error().text; };
  EXPECT_NE(reason({"batch_norm_fwd", "mb8_c0_h1_w1", "f32_f32_strict", "nhwc"}).find("c0"), std::string::npos);
  EXPECT_NE(reason({"batch_norm_fwd", "mb8_h1_w1", "f32_f32_strict", "nhwc"}).find("mbN_cN_hN_wN"), std::string::npos);
  EXPECT_NE(reason({"batch_norm_fwd", "mb8_c8_h1_w1", "f32_f32_tf32", "nhwc"}).find("tf32"), std::string::npos);
  EXPECT_NE(reason({"batch_norm_fwd", "mb8_c8_h1_w1", "f32_f32_strict", "chwn"}).find("chwn"), std::string::npos);
  EXPECT_NE(reason({"batch_norm_fwd", "mb1048576_c1048576_h65536_w65536", "f32_f32_strict", "nhwc"}).find("2^36"), std::string::npos);
  EXPECT_NE(reason({"layer_norm", "mb8_c8_h1_w1", "f32_f32_strict", "nhwc"}).find("layer_norm"), std::string::npos);
}

}  // namespace
}  // namespace detbench
