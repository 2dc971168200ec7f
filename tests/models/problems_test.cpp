#include "models/problems.hpp"

#include <gtest/gtest.h>

#include "kernels/convolution/problem.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "models/catalog.hpp"
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
  std::size_t layers = 0, swish = 0;
  for (const char* op : {"batch_norm_swish_fwd", "batch_norm_fwd"})
    for (const auto& p : batch_norm_problems(make_network("efficientnet_b0", 224, 10).value(), 8, op, "nhwc")) swish += p.layers.size();
  EXPECT_EQ(swish, 49u);
  for (const char* op : {"batch_norm_fwd", "batch_norm_relu6_fwd"})
    for (const auto& p : batch_norm_problems(network, 8, op, "blocked")) {
      EXPECT_TRUE(parse_batch_norm(p.problem)) << problem_id(p.problem);
      layers += p.layers.size();
    }
  EXPECT_EQ(layers, 52u);
  EXPECT_GT(network_problems(network, 8, "f32_f32_strict", "nhwc").size(), 29u * 3);
}

// Distinct shapes as published: input and output channels, window, stride, groups, size (squeeze-excite's, which are dense
// layers here, apart: 6, 9 and 9 widths twice).
TEST(Problems, HoldEfficientNetsConvolutionsOnce) {
  for (const auto& [model, pixels, convolutions, dense] :
       {std::tuple{"efficientnet_b0", 224, 46u, 81u - 49}, {"efficientnet_b1", 240, 55u, 115u - 69}, {"efficientnet_lite0", 224, 32u, 0u}}) {
    const auto network = make_network(model, pixels, 1000).value();
    const auto forward = convolution_problems(network, 8, "conv_fwd", "f32_f32_strict", "nhwc");
    const auto products = dense_problems(network, 8, "dense_fwd", "f32_f32_strict", "rowmajor");
    std::size_t layers = 0;
    for (const auto& p : products) layers += p.layers.size();
    EXPECT_EQ(layers, dense + 1) << model;
    EXPECT_EQ(forward.size() + products.size() - 1, convolutions) << model;
    // The stem reads images that were only scaled: nothing in front of it learns.
    const auto backward = convolution_problems(network, 8, "conv_dgrad", "f32_f32_strict", "nhwc");
    EXPECT_EQ(backward.size(), forward.size() - 1);
    for (const auto& p : backward) EXPECT_NE(p.layers[0], "stem_conv");
  }
}

TEST(Problems, NameEveryOpOfALayer) {
  const auto b0 = make_network("efficientnet_b0", 224, 1000).value();
  const auto cnn = make_network("small_cnn", 28, 10).value();
  const auto id = [](const Network& network, const char* layer, const char* op, const char* types = "f32_f32_strict", const char* layout = "nhwc") {
    const int at = network.layer_named(layer);
    EXPECT_GE(at, 0) << layer;
    return problem_id(layer_problem(network.layers[at], 8, op, types, layout));
  };
  EXPECT_EQ(id(b0, "block2b_se_reduce", "dense_fwd", "bf16_f32_strict", "rowmajor"), "dense_fwd/mb8_ic144_oc6/bf16_f32_strict/rowmajor");
  EXPECT_EQ(id(b0, "block2b_se_reduce_activation", "swish_bwd"), "swish_bwd/n48/f32_f32_strict/vector");
  EXPECT_EQ(id(b0, "block2b_se_expand_activation", "sigmoid_fwd", "f16_f32_strict"), "sigmoid_fwd/n1152/f16_f32_strict/vector");
  EXPECT_EQ(id(b0, "block2b_se_excite", "scale_channels_bwd", "f32_f32_tf32"), "scale_channels_bwd/mb8_c144_h56_w56/f32_f32_strict/nhwc");
  EXPECT_EQ(id(b0, "block2b_bn", "batch_norm_swish_fwd", "bf16_f32_strict"), "batch_norm_swish_fwd/mb8_c144_h56_w56/bf16_f32_strict/nhwc");
  EXPECT_EQ(id(b0, "block2b_bn", "batch_norm_swish_inference"), "batch_norm_swish_inference/mb8_c144_h56_w56/f32_f32_strict/nhwc");
  EXPECT_EQ(id(b0, "block2b_add", "add", "bf16_f32_strict"), "add/n602112/bf16_f32_strict/vector");
  EXPECT_EQ(id(b0, "top_dropout", "dropout_fwd"), "dropout_fwd/n10240_p0.2_seed1/f32_f32_strict/vector");
  EXPECT_EQ(id(cnn, "conv2d", "bias_add"), "bias_add/mb8_c16_h28_w28/f32_f32_strict/nhwc");
  EXPECT_EQ(id(cnn, "conv2d", "bias_grad", "f32_f32_tf32"), "bias_grad/mb8_c16_h28_w28/f32_f32_strict/nhwc");
  EXPECT_EQ(id(cnn, "max_pooling2d", "max_pool_bwd"), "max_pool_bwd/mb8_c16_ih28_iw28_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0/f32_f32_strict/nhwc");
  EXPECT_EQ(id(cnn, "loss", "softmax_cross_entropy"), problem_id(softmax_cross_entropy_problem(8, 10)));
  EXPECT_EQ(element_types("bf16_f32_strict_dwbf16"), "bf16_f32_strict");
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
