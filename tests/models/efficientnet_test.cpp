#include "models/efficientnet.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "models/catalog.hpp"

namespace detbench {
namespace {

struct Published {
  const char* model;
  std::int64_t blocks, stem, top, trainable, non_trainable;
  double mega_macs;
  std::int64_t convolutions, norms;
};
// 1000 classes at the default input. Trainable ones of B0..B7 are torchvision's num_params too (efficientnet.py, where
// the Normalization's seven do not exist); the Lite README rounds to 4.7, 5.4, 6.1, 8.2 and 13.0 million.
const Published published[] = {
    {"efficientnet_b0", 16, 32, 1280, 5288548, 42023, 385.8, 81, 49},       {"efficientnet_b1", 23, 32, 1280, 7794184, 62055, 686.8, 115, 69},
    {"efficientnet_b2", 23, 32, 1408, 9109994, 67575, 993.6, 115, 69},      {"efficientnet_b3", 26, 40, 1536, 12233232, 87303, 1827.1, 130, 78},
    {"efficientnet_b4", 32, 48, 1792, 19341616, 125207, 4393.8, 160, 96},   {"efficientnet_b5", 39, 48, 2048, 30389784, 172743, 10266.4, 194, 116},
    {"efficientnet_b6", 45, 56, 2304, 43040704, 224439, 19067.6, 224, 134}, {"efficientnet_b7", 55, 64, 2560, 66347960, 310727, 37745.9, 273, 163},
    {"efficientnet_lite0", 16, 32, 1280, 4652008, 42016, 385.2, 49, 49},    {"efficientnet_lite1", 21, 32, 1280, 5416680, 53664, 600.2, 64, 64},
    {"efficientnet_lite2", 21, 32, 1280, 6092072, 58096, 859.7, 64, 64},    {"efficientnet_lite3", 24, 32, 1280, 8197096, 76672, 1383.3, 73, 73},
    {"efficientnet_lite4", 30, 32, 1280, 13006568, 112368, 2553.0, 91, 91}};

/// The network at the size that it was published with.
Network default_network(const std::string& name) {
  for (const auto& entry : models())
    if (entry.name == name) return make_network(name, entry.pixels, entry.classes).value();
  ADD_FAILURE() << name;
  return {};
}

const Layer& layer(const Network& network, const std::string& name) {
  const int at = network.layer_named(name);
  EXPECT_GE(at, 0) << name;
  return network.layers[std::max(at, 0)];
}

TEST(EfficientNet, HasThePublishedParametersMultiplicationsAndLayers) {
  EXPECT_EQ(std::size(published), efficientnet_variants().size());
  for (const auto& p : published) {
    const auto network = default_network(p.model);
    EXPECT_EQ(network.trainable_count(), p.trainable) << p.model;
    EXPECT_EQ(network.moving_count(), p.non_trainable) << p.model;
    EXPECT_NEAR(static_cast<double>(network.macs()) / 1e6, p.mega_macs, 0.05) << p.model;
    std::int64_t convolutions = 0, norms = 0, blocks = 0;
    std::set<std::string> names;
    for (const auto& l : network.layers) {
      EXPECT_TRUE(names.insert(l.name).second) << l.name;
      convolutions += l.kind == LayerKind::convolution || l.as_convolution;
      norms += l.kind == LayerKind::batch_norm;
      blocks += l.name.ends_with("_dwconv");
    }
    EXPECT_EQ(convolutions, p.convolutions) << p.model;
    EXPECT_EQ(norms, p.norms) << p.model;
    EXPECT_EQ(blocks, p.blocks) << p.model;
    EXPECT_EQ(layer(network, "stem_conv").out.channels, p.stem) << p.model;
    EXPECT_EQ(layer(network, "top_conv").out.channels, p.top) << p.model;
    EXPECT_EQ(network.momentum, 0.99);
  }
}

TEST(EfficientNet, AcceptsAnyNumberOfClasses) {
  for (const auto& p : published) {
    const auto network = make_network(p.model, 32, 7).value();
    EXPECT_EQ(network.trainable_count(), p.trainable - (1000 - 7) * (p.top + 1)) << p.model;
    EXPECT_EQ(network.moving_count(), p.non_trainable) << p.model;
  }
}

/// "1a k3 s1 e1 32 32 8 16 112->112 1,1 0.0125", the columns of the published block tables; what does not apply is left out.
std::string row_of(const Network& n, const std::string& block) {
  const std::string prefix = "block" + block + "_";
  const auto& dw = layer(n, prefix + "dwconv");
  const bool expands = n.layer_named(prefix + "expand_conv") >= 0, squeezes = n.layer_named(prefix + "se_reduce") >= 0;
  std::ostringstream row;
  row << "k" << dw.window.kernel << " s" << dw.window.stride << " " << (expands ? layer(n, prefix + "expand_conv") : dw).in.channels << " " << dw.out.channels;
  if (squeezes) row << " " << layer(n, prefix + "se_reduce").out.channels;
  row << " " << layer(n, prefix + "project_conv").out.channels << " " << dw.in.height << "->" << dw.out.height << " " << dw.window.top << "," << dw.window.bottom;
  if (n.layer_named(prefix + "add") >= 0) row << " skip";
  if (n.layer_named(prefix + "drop") >= 0) {
    char rate[16];
    std::snprintf(rate, sizeof rate, " %.4f", layer(n, prefix + "drop").rate);
    row << rate;
    EXPECT_TRUE(layer(n, prefix + "drop").whole_samples);
    EXPECT_EQ(dw.window.groups, dw.out.channels);
  }
  return row.str();
}

TEST(EfficientNet, HasThePublishedBlocks) {
  const struct {
    const char *model, *block, *row;
  } rows[] = {{"efficientnet_b0", "1a", "k3 s1 32 32 8 16 112->112 1,1"},
              {"efficientnet_b0", "2a", "k3 s2 16 96 4 24 112->56 0,1"},
              {"efficientnet_b0", "2b", "k3 s1 24 144 6 24 56->56 1,1 skip 0.0250"},
              {"efficientnet_b0", "3a", "k5 s2 24 144 6 40 56->28 1,2"},
              {"efficientnet_b0", "5a", "k5 s1 80 480 20 112 14->14 2,2"},
              {"efficientnet_b0", "6d", "k5 s1 192 1152 48 192 7->7 2,2 skip 0.1750"},
              {"efficientnet_b0", "7a", "k3 s1 192 1152 48 320 7->7 1,1"},
              {"efficientnet_b1", "1b", "k3 s1 16 16 4 16 120->120 1,1 skip 0.0087"},
              {"efficientnet_b1", "6a", "k5 s2 112 672 28 192 15->8 2,2"},
              {"efficientnet_b2", "4a", "k3 s2 48 288 12 88 33->17 1,1"},
              {"efficientnet_b3", "6f", "k5 s1 232 1392 58 232 10->10 2,2 skip 0.1769"},
              {"efficientnet_b4", "6h", "k5 s1 272 1632 68 272 12->12 2,2 skip 0.1813"},
              {"efficientnet_b5", "3e", "k5 s1 64 384 16 64 57->57 2,2 skip 0.0615"},
              {"efficientnet_b6", "6k", "k5 s1 344 2064 86 344 17->17 2,2 skip 0.1822"},
              {"efficientnet_b7", "6m", "k5 s1 384 2304 96 384 19->19 2,2 skip 0.1818"},
              {"efficientnet_b7", "7d", "k3 s1 640 3840 160 640 19->19 1,1 skip 0.1964"},
              {"efficientnet_lite0", "6d", "k5 s1 192 1152 192 7->7 2,2 skip 0.1750"},
              {"efficientnet_lite1", "2c", "k3 s1 24 144 24 60->60 1,1 skip 0.0286"},
              {"efficientnet_lite2", "6e", "k5 s1 208 1248 208 9->9 2,2 skip 0.1810"},
              {"efficientnet_lite3", "1a", "k3 s1 32 32 24 140->140 1,1"},
              {"efficientnet_lite4", "7a", "k3 s1 272 1632 448 10->10 1,1"}};
  std::map<std::string, Network> networks;
  for (const auto& r : rows) {
    if (!networks.contains(r.model)) networks[r.model] = default_network(r.model);
    EXPECT_EQ(row_of(networks[r.model], r.block), r.row) << r.model << " " << r.block;
  }
  EXPECT_LT(networks["efficientnet_b0"].layer_named("block7b_dwconv"), 0);
  EXPECT_LT(networks["efficientnet_lite4"].layer_named("block1b_dwconv"), 0);
}

TEST(EfficientNet, HasKerasLayersInKerasOrder) {
  const auto network = make_network("efficientnet_b0", 224, 1000).value();
  std::vector<std::string> names;
  for (const auto& l : network.layers)
    if (!l.name.starts_with("block") || l.name.starts_with("block2b")) names.push_back(l.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "rescaling",          "normalization",        "stem_conv",           "stem_bn",
                       "block2b_expand_conv", "block2b_expand_bn",   "block2b_dwconv",      "block2b_bn",
                       "block2b_se_squeeze", "block2b_se_reduce",    "block2b_se_reduce_activation", "block2b_se_expand",
                       "block2b_se_expand_activation", "block2b_se_excite", "block2b_project_conv", "block2b_project_bn",
                       "block2b_drop",       "block2b_add",          "top_conv",            "top_bn",
                       "avg_pool",           "top_dropout",          "predictions",         "loss"}));
  EXPECT_EQ(layer(network, "rescaling").scale, 1.0 / 255);
  EXPECT_EQ(layer(network, "block2b_bn").activation, Activation::swish);
  EXPECT_EQ(layer(network, "block2b_project_bn").activation, Activation::none);
  EXPECT_EQ(layer(network, "block2b_se_reduce_activation").activation, Activation::swish);
  EXPECT_EQ(layer(network, "block2b_se_expand_activation").activation, Activation::sigmoid);
  // Excited is what the depthwise half made, the skip leads around the whole block.
  const auto tensor = [&](const char* name) { return network.layer_named(name) + 1; };
  EXPECT_EQ(layer(network, "block2b_se_excite").inputs, (std::vector<int>{tensor("block2b_bn"), tensor("block2b_se_expand_activation")}));
  EXPECT_EQ(layer(network, "block2b_add").inputs, (std::vector<int>{tensor("block2b_drop"), tensor("block2a_project_bn")}));
  EXPECT_EQ(layer(network, "top_dropout").rate, 0.2);
  EXPECT_FALSE(layer(network, "top_dropout").whole_samples);
  const auto lite = make_network("efficientnet_lite0", 224, 1000).value();
  EXPECT_EQ(layer(lite, "rescaling").scale * 255 + layer(lite, "rescaling").offset, 1.0);
  EXPECT_EQ(layer(lite, "block2b_bn").activation, Activation::relu6);
  EXPECT_LT(lite.layer_named("normalization"), 0);
}

// Sizes that are no multiple of 32: each half rounds up, and what is padded follows.
TEST(EfficientNet, TakesAnySizeFrom32) {
  for (const std::int64_t pixels : {32, 33, 47, 97, 225}) {
    const auto network = make_network("efficientnet_b0", pixels, 10).value();
    std::int64_t size = pixels;
    for (int i = 0; i < 5; ++i) size = (size + 1) / 2;
    EXPECT_EQ(layer(network, "top_conv").out.height, size) << pixels;
    for (const auto& l : network.layers) {
      if (l.kind != LayerKind::convolution) continue;
      const auto& w = l.window;
      EXPECT_EQ((l.in.height + w.top + w.bottom - w.kernel) / w.stride + 1, l.out.height) << l.name;
      EXPECT_EQ((l.in.width + w.left + w.right - w.kernel) / w.stride + 1, l.out.width) << l.name;
    }
  }
  EXPECT_NE(make_network("efficientnet_b0", 31, 10).error().text.find("31"), std::string::npos);
}

}  // namespace
}  // namespace detbench
