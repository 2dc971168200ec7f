// What cuDNN's legacy API lists for pooling: its descriptors need no GPU.
#include <gtest/gtest.h>

#include "kernels/cudnn/library.hpp"
#include "kernels/pooling/pooling.hpp"
#include "tests/kernels/listed_gpu.hpp"

namespace detbench {
namespace {

using testing::listed;

const Operation& operation(const char* op) {
  static const auto operations = make_pooling_operations();
  for (const auto& o : operations)
    if (o->op() == op) return *o;
  return *operations[0];
}
std::string list(const char* op, const std::string& shape, const char* layout) {
  return listed(operation(op), {op, shape, "f32_f32_strict", layout}, "cudnn_legacy");
}

class LegacyPooling : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  }
};

TEST_F(LegacyPooling, EveryModeThatAnswersIsListed) {
  const std::string symmetric = "mb2_c8_ih9_iw9_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1";
  for (const char* layout : {"nhwc", "nchw"}) {
    EXPECT_EQ(list("max_pool_fwd", symmetric, layout), "max; max_deterministic");
    EXPECT_EQ(list("max_pool_bwd", symmetric, layout), "max; max_deterministic");
    EXPECT_EQ(list("avg_pool_bwd", symmetric + "_ip0", layout), "average_include_padding: this mode counts padding the other way; average_exclude_padding");
    EXPECT_EQ(list("avg_pool_fwd", symmetric + "_ip1", layout), "average_include_padding; average_exclude_padding: this mode counts padding the other way");
    EXPECT_EQ(list("avg_pool_fwd", "mb2_c8_ih8_iw8_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0_ip1", layout), "average_include_padding; average_exclude_padding");
    EXPECT_EQ(list("global_avg_pool_bwd", "mb2_c8_h7_w5", layout), "average_include_padding; average_exclude_padding");
  }
  EXPECT_NE(list("global_avg_pool_fwd", "mb2_c8_h7_w5", "nchw16c").find("blocked"), std::string::npos);
}

// Keras pads a stride-2 layer behind only: the API cannot say so. Pads in front alone give the windows of equal ones here.
TEST_F(LegacyPooling, PadsThatTheApiCannotStateAreRefused) {
  EXPECT_NE(list("max_pool_fwd", "mb2_c8_ih8_iw8_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1", "nhwc").find("both sides alike"), std::string::npos);
  EXPECT_EQ(list("max_pool_fwd", "mb2_c8_ih8_iw8_kh3_kw3_sh2_sw2_pt1_pb0_pl1_pr0", "nhwc"), "max; max_deterministic");
}

TEST_F(LegacyPooling, OnlyBackwardOfAMaximumIsDocumentedAsNondeterministic) {
  testing::ListedGpu device;
  for (const char* op : {"max_pool_fwd", "max_pool_bwd"}) {
    const Problem problem{op, "mb2_c8_ih9_iw9_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1", "f32_f32_strict", "nhwc"};
    const auto offers = operation(op).find_provider("cudnn_legacy")->offers(problem, device).value();
    ASSERT_EQ(offers.size(), 2u);
    const bool backward = std::string(op) == "max_pool_bwd";
    EXPECT_EQ(offers[0].algorithm.claim.guarantee, backward ? Guarantee::not_guaranteed : Guarantee::run_to_run);
    EXPECT_EQ(offers[1].algorithm.claim.guarantee, Guarantee::run_to_run);
    EXPECT_TRUE(offers[1].algorithm.claim.covers(Scope::load));
    EXPECT_FALSE(offers[1].algorithm.claim.covers(Scope::machine));
    EXPECT_TRUE(offers[0].algorithm.claim.source.starts_with("cuDNN 9")) << offers[0].algorithm.claim.source;
  }
}

TEST(ListedPooling, OursAreListedForAGpu) {
  const Problem problem{"max_pool_bwd", "mb2_c8_ih9_iw9_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1", "f32_f32_strict", "nhwc"};
  EXPECT_EQ(listed(operation("max_pool_bwd"), problem, "fixed_order"), "gather; gather[winners=kept]");
  EXPECT_EQ(listed(operation("max_pool_bwd"), problem, "cuda_atomic"), "scatter; scatter[winners=kept]");
  EXPECT_EQ(listed(operation("global_avg_pool_fwd"), {"global_avg_pool_fwd", "mb2_c8_h7_w5", "f32_f32_strict", "blocked"}, "cuda_atomic"), "block_then_atomic");
}

}  // namespace
}  // namespace detbench
