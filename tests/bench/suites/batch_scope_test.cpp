// Scope `batch` over real operations: whose samples are independent, and that ours in fixed order keep their bits.
#include <gmock/gmock.h>

#include "bench/core/batch.hpp"
#include "bench/core/probe.hpp"
#include "kernels/activation/activation.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/loss/softmax.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/pooling/pooling.hpp"

namespace detbench {
namespace {

using testing::HasSubstr;

const char* const conv_shape = "mb2_g1_ic5_ih7_iw6_oc4_kh3_kw3_sh2_sw2_pt0_pb1_pl1_pr1_dh1_dw1";

const ScopeResult& batch_scope(const ArmReport& report) {
  for (const auto& result : report.agreement)
    if (result.scope == Scope::batch) return result;
  static const ScopeResult none;
  return none;
}

ArmReport probe_fixed_order(const Operation& operation, const Problem& problem) {
  const auto device = *make_cpu_device({.threads = 2});
  const auto offers = operation.find_provider("fixed_order")->offers(problem, *device);
  ProbeSettings settings;
  settings.repeat = 1;
  settings.load = 0;
  settings.batches = 3;
  settings.left_out = {Scope::placement, Scope::partition};
  settings.base.threads = 2;
  ReferenceCache references;
  return probe_arm(operation, problem, offers->front().algorithm, settings, make_cpu_device, references);
}

TEST(BatchScope, FixedOrderKeepsASamplesBits) {
  for (const auto direction : {Direction::forward, Direction::dgrad})
    for (const char* layout : {"nhwc", "nchw", "blocked"}) {
      const auto operation = make_convolution_operation(direction);
      const auto report = probe_fixed_order(*operation, {std::string(op_name(direction)), conv_shape, "f32_f32_strict", layout});
      EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
      const auto& batch = batch_scope(report);
      EXPECT_EQ(batch.verdict, ScopeVerdict::no_difference) << op_name(direction) << " " << layout << ": " << batch.reason;
      EXPECT_EQ(batch.runs, 3u) << layout << ": " << batch.reason;
    }
  for (const auto pass : {DensePass::forward, DensePass::dgrad}) {
    const auto operation = make_dense_operation(pass);
    const auto report = probe_fixed_order(*operation, {std::string(op_name(pass)), "mb3_ic40_oc17", "f32_f32_strict", "rowmajor"});
    EXPECT_EQ(batch_scope(report).verdict, ScopeVerdict::no_difference) << op_name(pass) << ": " << batch_scope(report).reason << report.reason;
  }
}

TEST(BatchScope, WeightGradientsSumOverTheBatch) {
  const auto convolution = make_convolution_operation(Direction::wgrad);
  const auto size = convolution->batch_size({"conv_wgrad", conv_shape, "f32_f32_strict", "nhwc"});
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().kind, Reason::Kind::unsupported);
  EXPECT_EQ(size.error().text, "'diff_weights' of conv_wgrad sums over the batch");
  EXPECT_FALSE(make_dense_operation(DensePass::wgrad)->batch_size({"dense_wgrad", "mb3_ic40_oc17", "f32_f32_strict", "rowmajor"}));
}

TEST(BatchScope, DescribesTheLargerProblem) {
  const auto operation = make_convolution_operation(Direction::forward);
  const Problem problem{"conv_fwd", conv_shape, "f32_f32_strict", "nchw"};
  EXPECT_EQ(*operation->batch_size(problem), 2);
  const auto variant = operation->in_batch(problem, 9, 4);
  ASSERT_TRUE(variant) << variant.error().text;
  EXPECT_THAT(variant->problem.shape, testing::StartsWith("mb9_g1_ic5_"));
  EXPECT_EQ(variant->problem.layout, "nchw");
  ASSERT_EQ(variant->inputs.size(), 2u);
  EXPECT_EQ(variant->inputs[0]->offset, 4);
  EXPECT_FALSE(variant->inputs[1]);
  EXPECT_FALSE(operation->in_batch(problem, 5, 4));
  EXPECT_FALSE(operation->in_batch(problem, std::int64_t{1} << 21, 0));  // past what a problem may be
}

TEST(BatchScope, RowsAndWindowsKeepTheirBitsToo) {
  const auto probe_all = [](const std::vector<std::unique_ptr<Operation>>& operations, const char* shape, const char* layout) {
    int probed = 0;
    for (const auto& operation : operations) {
      const Problem problem{std::string(operation->op()), shape, "f32_f32_strict", layout};
      if (!operation->check(problem)) continue;
      const auto report = probe_fixed_order(*operation, problem);
      EXPECT_EQ(batch_scope(report).verdict, ScopeVerdict::no_difference)
          << operation->op() << ": " << report.reason << batch_scope(report).reason;
      ++probed;
    }
    return probed;
  };
  EXPECT_GE(probe_all(make_pooling_operations(), "mb2_c5_h7_w6", "nhwc"), 2);
  EXPECT_GE(probe_all(make_softmax_operations(), "mb3_k37", "plain"), 2);
}

TEST(BatchScope, EveryElementOfAnElementwiseOpIsASample) {
  for (const auto& operation : make_activation_operations()) {
    const auto problem = vector_problem(std::string(operation->op()), 1000);
    if (!operation->check(problem)) continue;
    EXPECT_EQ(*operation->batch_size(problem), 1000) << operation->op();
    const auto report = probe_fixed_order(*operation, problem);
    EXPECT_EQ(batch_scope(report).verdict, ScopeVerdict::no_difference) << operation->op() << ": " << batch_scope(report).reason;
  }
}

}  // namespace
}  // namespace detbench
