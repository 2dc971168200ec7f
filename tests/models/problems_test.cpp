#include "models/problems.hpp"

#include <gtest/gtest.h>

#include "kernels/convolution/problem.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "models/mobilenet_v2.hpp"

namespace detbench {
namespace {

// Distinct convolution shapes as published for these two widths (stride, groups and size counted).
TEST(Problems, HoldEveryDistinctConvolutionOnce) {
  for (auto [alpha, distinct] : {std::pair{0.35, 29u}, {1.0, 30u}}) {
    const auto network = make_mobilenet_v2(alpha, 224, 1000).value();
    const auto forward = convolution_problems(network, 8, "conv_fwd", "f32_f32_strict", "nhwc");
    EXPECT_EQ(forward.size(), distinct) << alpha;
    std::size_t layers = 0;
    for (const auto& p : forward) {
      layers += p.layers.size();
      EXPECT_TRUE(parse_convolution(p.problem)) << problem_id(p.problem);
    }
    EXPECT_EQ(layers, 52u);
    EXPECT_EQ(convolution_problems(network, 8, "conv_wgrad", "f32_f32_strict", "nhwc").size(), distinct);
    const auto backward = convolution_problems(network, 8, "conv_dgrad", "f32_f32_strict", "nhwc");
    EXPECT_EQ(backward.size(), distinct - 1) << "the images need no gradient";
    for (const auto& p : backward)
      for (const auto& l : p.layers) EXPECT_NE(l, "Conv1");
  }
}

TEST(Problems, AreNamedAsCasesAre) {
  const auto network = make_mobilenet_v2(1.0, 224, 1000).value();
  const auto forward = convolution_problems(network, 32, "conv_fwd", "f32_f32_strict", "nhwc");
  EXPECT_EQ(forward[0].layers, std::vector<std::string>{"Conv1"});
  EXPECT_EQ(problem_id(forward[0].problem),
            "conv_fwd/mb32_g1_ic3_ih224_iw224_oc32_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1_dh1_dw1/f32_f32_strict/nhwc");
  const auto norms = batch_norm_problems(network, 32, "batch_norm_relu6_fwd", "nhwc");
  EXPECT_EQ(problem_id(norms[0].problem), "batch_norm_relu6_fwd/mb32_c32_h112_w112/f32_f32_strict/nhwc");
  const auto dense = dense_problems(network, 32, "dense_fwd", "f32_f32_strict", "rowmajor");
  ASSERT_EQ(dense.size(), 1u);
  EXPECT_EQ(problem_id(dense[0].problem), "dense_fwd/mb32_ic1280_oc1000/f32_f32_strict/rowmajor");
}

TEST(Problems, CoverEveryBatchNorm) {
  const auto network = make_mobilenet_v2(0.35, 96, 1000).value();
  std::size_t layers = 0;
  for (const char* op : {"batch_norm_fwd", "batch_norm_relu6_fwd"})
    for (const auto& p : batch_norm_problems(network, 8, op, "blocked")) {
      EXPECT_TRUE(parse_batch_norm(p.problem)) << problem_id(p.problem);
      layers += p.layers.size();
    }
  EXPECT_EQ(layers, 52u);
  EXPECT_GT(network_problems(network, 8, "f32_f32_strict", "nhwc").size(), 29u * 3);
}

TEST(Problems, PoseWeightGradientsAsTheDataIsStoredWhereThatIsAsked) {
  EXPECT_EQ(weight_gradient_types("bf16_f32_strict", WeightGradients::as_data), "bf16_f32_strict_dwbf16");
  EXPECT_EQ(weight_gradient_types("f16_f32_strict", WeightGradients::as_data), "f16_f32_strict_dwf16");
  EXPECT_EQ(weight_gradient_types("f16_f32_strict", WeightGradients::f32), "f16_f32_strict");
  for (const char* types : {"f32_f32_strict", "f32_f32_tf32", "bf16_f32_strict_dwbf16", "nonsense"})
    EXPECT_EQ(weight_gradient_types(types, WeightGradients::as_data), types);
  const auto network = make_mobilenet_v2(0.35, 96, 10).value();
  int posed = 0;
  for (const auto& p : network_problems(network, 8, "bf16_f32_strict", "nhwc", WeightGradients::as_data)) {
    EXPECT_EQ(p.problem.types.ends_with("_dwbf16"), p.problem.op == "conv_wgrad") << problem_id(p.problem);
    posed += p.problem.op == "conv_wgrad";
    EXPECT_TRUE(p.problem.op != "conv_wgrad" || parse_convolution(p.problem)) << problem_id(p.problem);
  }
  EXPECT_GT(posed, 20);
}

}  // namespace
}  // namespace detbench
