// Batch norm on a GPU, where there is one: every arm against the reference, the fixed order against the CPU's bits.
#include <gtest/gtest.h>

#include "kernels/cudnn/version.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "tests/kernels/normalization/case_runner.hpp"

namespace detbench {
namespace {

using testing::run_case;

/// By op. cuDNN's graph engines compile for up to a second each, so most problems meet only every engine once (t0); the
/// heuristics' proposals (t1) are met at one problem.
class GpuBatchNorm : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
  }
  static std::unique_ptr<Operation> operation(std::vector<Tier> tiers) {
    AlgorithmSearch search;
    search.tiers = std::move(tiers);
    for (auto& made : make_batch_norm_operations(search))
      if (made->op() == GetParam()) return std::move(made);
    return nullptr;
  }
  /// Every offer against the reference; returns how many ran.
  int verify_offers(const Operation& operation, const Problem& problem) {
    const Inputs inputs{InputFill::rounding, 7};
    const auto reference = operation.reference(problem, inputs);
    EXPECT_TRUE(reference) << reference.error().text;
    int ran = 0;
    for (const auto& provider : operation.providers()) {
      const auto offers = provider->offers(problem, *device_);
      EXPECT_TRUE(offers) << offers.error().text;
      if (!offers) continue;
      for (const auto& offer : *offers) {
        if (offer.unsupported) continue;
        const std::string name = case_id(problem, offer.algorithm);
        const auto run = run_case(operation, problem, offer.algorithm, *device_, inputs, 2);
        // What only an execution can tell (a library's status for this type or layout) is no error here.
        if (!run && run.error().kind == Reason::Kind::unsupported) continue;
        EXPECT_TRUE(run) << name << ": " << run.error().text;
        if (!run) continue;
        const auto found = (*reference)->check(offer.algorithm, run->outputs);
        EXPECT_TRUE(found && found->passed) << name << ": " << (found ? found->reason : found.error().text);
        ++ran;
      }
    }
    return ran;
  }
  /// Arms that must run: ours in fixed order and either the atomic one, which inference has not, or cuDNN's, which may be absent.
  static int least_arms() { return std::string(GetParam()).ends_with("inference") && !cudnn_version() ? 1 : 2; }
  void verify_every_arm(const char* types) {
    const auto every_engine = operation({Tier::t0});
    for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h9_w9", "mb2_c144_h3_w3", "mb32_c32_h28_w28"})
      for (const char* layout : {"nhwc", "nchw"}) {
        EXPECT_GE(verify_offers(*every_engine, {GetParam(), shape, types, layout}), least_arms()) << shape << " " << types << " " << layout;
        ASSERT_TRUE(device_->usable()) << "after " << shape << " " << types << " " << layout;
      }
  }
  std::unique_ptr<Device> device_;
};

const char* const gpu_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

// A test per type: together they compile for longer than a test may take.
TEST_P(GpuBatchNorm, EveryArmMeetsTheReferenceInF32) { verify_every_arm("f32_f32_strict"); }
TEST_P(GpuBatchNorm, EveryArmMeetsTheReferenceInF16) { verify_every_arm("f16_f32_strict"); }
TEST_P(GpuBatchNorm, EveryArmMeetsTheReferenceInBf16) { verify_every_arm("bf16_f32_strict"); }

TEST_P(GpuBatchNorm, EveryProposalOfTheHeuristicsMeetsTheReference) {
  EXPECT_GE(verify_offers(*operation({Tier::t0, Tier::t1}), {GetParam(), "mb16_c96_h14_w14", "bf16_f32_strict", "nhwc"}), least_arms());
}

TEST_P(GpuBatchNorm, FixedOrderGivesTheCpusBits) {
  const auto host = std::move(*make_cpu_device());
  const auto norm = operation({Tier::t0});
  for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h9_w9", "mb4_c33_h24_w24", "mb300_c5_h2_w1", "mb32_c96_h28_w28"})
    for (const char* types : gpu_types)
      for (const char* layout : {"nhwc", "nchw"})
        for (InputFill fill : {InputFill::rounding, InputFill::wide}) {
          const Problem problem{GetParam(), shape, types, layout};
          const Algorithm algorithm{"fixed_order", "chunks", {}, {}};
          const auto expected = run_case(*norm, problem, algorithm, *host, {fill, 3});
          const auto found = run_case(*norm, problem, algorithm, *device_, {fill, 3}, 3);
          ASSERT_TRUE(expected && found) << (expected ? found.error().text : expected.error().text);
          EXPECT_EQ(to_hex(found->digest), to_hex(expected->digest)) << problem_id(problem) << " " << to_text(fill);
        }
}

TEST_P(GpuBatchNorm, ReplaysOfACaptureGiveTheSameBits) {
  const auto norm = operation({Tier::t0});
  for (const char* layout : {"nhwc", "nchw"}) {
    const Problem problem{GetParam(), "mb3_c37_h19_w9", "f16_f32_strict", layout};
    const Inputs inputs{InputFill::rounding, 3};
    const Algorithm fixed{"fixed_order", "chunks", {}, {}};
    const auto launched = run_case(*norm, problem, fixed, *device_, inputs), replayed = run_case(*norm, problem, fixed, *device_, inputs, 3, testing::How::captured);
    ASSERT_TRUE(launched && replayed) << (launched ? replayed.error().text : launched.error().text);
    EXPECT_EQ(to_hex(replayed->digest), to_hex(launched->digest)) << layout;
    if (std::string(GetParam()).ends_with("inference")) continue;  // has no atomic form
    const auto atomic = run_case(*norm, problem, {"cuda", "atomic", {}, {}}, *device_, inputs, 3, testing::How::captured);
    ASSERT_TRUE(atomic) << atomic.error().text;
    const auto found = (*norm->reference(problem, inputs))->check({"cuda", "atomic", {}, {}}, atomic->outputs);
    EXPECT_TRUE(found && found->passed) << "accumulators are zeroed in every replay: " << (found ? found->reason : found.error().text);
  }
}

INSTANTIATE_TEST_SUITE_P(BatchNorm, GpuBatchNorm,
                         ::testing::Values("batch_norm_fwd", "batch_norm_relu_fwd", "batch_norm_relu6_fwd", "batch_norm_swish_fwd", "batch_norm_bwd",
                                           "batch_norm_relu_bwd", "batch_norm_relu6_bwd", "batch_norm_swish_bwd", "batch_norm_inference",
                                           "batch_norm_relu_inference", "batch_norm_relu6_inference", "batch_norm_swish_inference"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace detbench
