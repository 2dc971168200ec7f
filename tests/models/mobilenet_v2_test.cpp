#include "models/mobilenet_v2.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>


namespace detbench {
namespace {

struct Published {
  double alpha;
  std::int64_t trainable, non_trainable;
  double mega_macs;
};
// Trainable and non-trainable parameters with 1000 classes: torchvision publishes 3,504,872 for alpha 1.0, Keras's table of
// mobilenet_v2 rounds to 1.7, 2.0, 2.7, 3.5, 5.4 and 6.2 million in all.
const Published published[] = {{0.35, 1677128, 14080, 59.3}, {0.5, 1968680, 18544, 97.1},  {0.75, 2636424, 26640, 209.1},
                               {1.0, 3504872, 34112, 300.8}, {1.3, 5386792, 44256, 509.4}, {1.4, 6108776, 47936, 582.2}};

TEST(MobileNetV2, HasThePublishedParameters) {
  for (const auto& p : published) {
    const auto network = make_mobilenet_v2(p.alpha, 224, 1000).value();
    EXPECT_EQ(network.trainable_count(), p.trainable) << p.alpha;
    EXPECT_EQ(network.moving_count(), p.non_trainable) << p.alpha;
  }
}

TEST(MobileNetV2, HasThePublishedMultiplications) {
  for (const auto& p : published) {
    const auto network = make_mobilenet_v2(p.alpha, 224, 1000).value();
    EXPECT_NEAR(static_cast<double>(network.macs()) / 1e6, p.mega_macs, 0.05) << p.alpha;
    std::int64_t from_kernels = 0;
    for (const auto& q : network.parameters())
      if (q.role == "kernel") from_kernels += element_count(q.shape) * network.layers[q.layer].out.height * network.layers[q.layer].out.width;
    EXPECT_EQ(network.macs(), from_kernels);
  }
}

TEST(MobileNetV2, HasKerasLayers) {
  const auto network = make_mobilenet_v2(0.35, 96, 1000).value();
  EXPECT_EQ(network.name, "mobilenet_v2_alpha0.35");
  int convolutions = 0, norms = 0, adds = 0;
  std::set<std::string> names;
  for (const auto& l : network.layers) {
    convolutions += l.kind == LayerKind::convolution;
    norms += l.kind == LayerKind::batch_norm;
    adds += l.kind == LayerKind::add;
    EXPECT_TRUE(names.insert(l.name).second) << l.name;
  }
  EXPECT_EQ(network.momentum, 0.999);
  EXPECT_EQ(network.initialization, Initialization::glorot_uniform);
  EXPECT_EQ(convolutions, 52);
  EXPECT_EQ(norms, 52);
  EXPECT_EQ(adds, 10);
  for (const char* name : {"Conv1", "bn_Conv1", "expanded_conv_depthwise", "expanded_conv_project_BN", "block_1_expand", "block_1_expand_BN",
                           "block_16_project", "block_2_add", "Conv_1", "Conv_1_bn", "predictions"})
    EXPECT_GE(network.layer_named(name), 0) << name;
  EXPECT_LT(network.layer_named("expanded_conv_expand"), 0);
  EXPECT_LT(network.layer_named("block_1_add"), 0);
  // Rows of the block table: C_in / C_mid / C_out of block 13 and its window at 96 pixels.
  const auto& dw = network.layers[network.layer_named("block_13_depthwise")];
  EXPECT_EQ(dw.in, (ImageSize{6, 6, 192}));
  EXPECT_EQ(dw.out, (ImageSize{3, 3, 192}));
  EXPECT_EQ(dw.window.top, 0);
  EXPECT_EQ(dw.window.bottom, 1);
  EXPECT_EQ(network.layers[network.layer_named("block_13_project")].out.channels, 56);
  EXPECT_EQ(network.layers[network.layer_named("block_13_project_BN")].activation, Activation::none);
  EXPECT_EQ(network.layers[network.layer_named("block_13_depthwise_BN")].activation, Activation::relu6);
}

// The published block tables of the widest and an odd alpha.
TEST(MobileNetV2, HasThePublishedWidths) {
  const std::pair<double, std::vector<std::int64_t>> tables[] = {
      {1.4, {24, 32, 32, 48, 48, 48, 88, 88, 88, 88, 136, 136, 136, 224, 224, 224, 448}},
      {0.75, {16, 24, 24, 24, 24, 24, 48, 48, 48, 48, 72, 72, 72, 120, 120, 120, 240}},
      {0.5, {8, 16, 16, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48, 80, 80, 80, 160}}};
  for (const auto& [alpha, widths] : tables) {
    const auto network = make_mobilenet_v2(alpha, 32, 10).value();
    for (std::size_t b = 0; b < widths.size(); ++b) {
      const std::string name = b == 0 ? "expanded_conv_project" : "block_" + std::to_string(b) + "_project";
      EXPECT_EQ(network.layers[network.layer_named(name)].out.channels, widths[b]) << alpha << " " << name;
    }
  }
  EXPECT_EQ(make_mobilenet_v2(1.3, 32, 10)->layers[make_mobilenet_v2(1.3, 32, 10)->layer_named("Conv_1")].out.channels, 1664);
}

TEST(MobileNetV2, RefusesWhatCannotBe) {
  EXPECT_NE(make_mobilenet_v2(1.0, 31, 10).error().text.find("31 pixels: 32 to 4096"), std::string::npos);
  EXPECT_NE(make_mobilenet_v2(1.0, 96, 10, 0).error().text.find("0 channels"), std::string::npos);
  EXPECT_NE(make_mobilenet_v2(0.0, 96, 10).error().text.find("alpha"), std::string::npos);
  EXPECT_FALSE(make_mobilenet_v2(std::numeric_limits<double>::quiet_NaN(), 96, 10));
  EXPECT_FALSE(make_mobilenet_v2(1.0, 96, 0));
}

TEST(SamePadding, FollowsTensorFlow) {
  const auto is = [](std::int64_t size, std::int64_t k, std::int64_t s, std::int64_t before, std::int64_t after) {
    const auto p = same_padding(size, k, s);
    EXPECT_EQ(p.before, before) << size << " " << k << " " << s;
    EXPECT_EQ(p.after, after) << size << " " << k << " " << s;
  };
  is(224, 3, 2, 0, 1), is(225, 3, 2, 1, 1), is(56, 5, 2, 1, 2), is(57, 5, 2, 2, 2), is(14, 3, 1, 1, 1), is(7, 1, 1, 0, 0), is(6, 1, 2, 0, 0);
}

}  // namespace
}  // namespace detbench
