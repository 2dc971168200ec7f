#include "models/catalog.hpp"

#include <gtest/gtest.h>

#include <set>

namespace detbench {
namespace {

TEST(Catalog, MakesEveryModelUnderItsName) {
  std::set<std::string> names;
  for (const auto& entry : models()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    const auto network = make_network(entry.name, entry.pixels, entry.classes);
    ASSERT_TRUE(network) << network.error().text;
    EXPECT_EQ(network->name, entry.name);
    EXPECT_EQ(network->image, (ImageSize{entry.pixels, entry.pixels, entry.channels}));
    EXPECT_EQ(network->classes, entry.classes);
  }
  EXPECT_EQ(names.size(), 8u + 5 + 6 + 2);
}

TEST(Catalog, TakesChannelsAndAnyAlpha) {
  const auto gray = make_network("efficientnet_lite0", 32, 2, 1).value();
  EXPECT_EQ(gray.image.channels, 1);
  EXPECT_EQ(make_network("mobilenet_v2_alpha0.6", 32, 2)->name, "mobilenet_v2_alpha0.6");
  EXPECT_EQ(make_network("small_dense", 28, 10, 3)->layers[0].kind, LayerKind::flatten);
}

TEST(Catalog, RefusesInOneLineThatNamesWhatExists) {
  for (const char* wrong : {"efficientnet_b8", "mobilenet_v2", "mobilenet_v2_alpha", "mobilenet_v2_alpha1x", "mobilenet_v2_alpha1e0", ""}) {
    const auto network = make_network(wrong, 96, 10);
    ASSERT_FALSE(network) << wrong;
    EXPECT_EQ(network.error().kind, Reason::Kind::invalid_input);
    EXPECT_NE(network.error().text.find("efficientnet_b0"), std::string::npos) << network.error().text;
  }
  EXPECT_NE(make_network("mobilenet_v2_alpha1", 96, 10).error().text.find("mobilenet_v2_alpha1.0"), std::string::npos);
  EXPECT_NE(make_network("mobilenet_v2_alpha-1.0", 96, 10).error().text.find("alpha"), std::string::npos);
  EXPECT_NE(make_network("mobilenet_v2_alphainf", 96, 10).error().text.find("alpha"), std::string::npos);
  EXPECT_NE(make_network("small_cnn", 3, 10).error().text.find("4 to 1024"), std::string::npos);
  EXPECT_NE(make_network("small_cnn", 28, 0).error().text.find("classes"), std::string::npos);
}

// 32 -> 128 -> 10: (32 + 1) * 128 + (128 + 1) * 10. 28x28x3 through two 3x3 convolutions, two poolings: 7 * 7 * 32 features.
TEST(SmallNetworks, HaveTheParametersOfTheirLayers) {
  EXPECT_EQ(make_network("small_dense", 1, 10)->trainable_count(), 33 * 128 + 129 * 10);
  const auto cnn = make_network("small_cnn", 28, 10).value();
  EXPECT_EQ(cnn.trainable_count(), (27 + 1) * 16 + (144 + 1) * 32 + (7 * 7 * 32 + 1) * 10);
  EXPECT_EQ(cnn.moving_count(), 0);
  EXPECT_EQ(cnn.macs(), 28 * 28 * 27 * 16 + 14 * 14 * 144 * 32 + 7 * 7 * 32 * 10);
}

TEST(Network, NeedsNoGradientInFrontOfTheFirstParameter) {
  const auto network = make_network("efficientnet_b0", 32, 10).value();
  EXPECT_FALSE(network.needs_gradient(0));
  EXPECT_FALSE(network.needs_gradient(network.layer_named("normalization") + 1));
  EXPECT_TRUE(network.needs_gradient(network.layer_named("stem_conv") + 1));
  EXPECT_TRUE(network.needs_gradient(network.layer_named("block2b_drop") + 1));
}

}  // namespace
}  // namespace detbench
