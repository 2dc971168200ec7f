#include "models/activation_memory.hpp"

#include <gtest/gtest.h>

#include "models/catalog.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench {
namespace {

// 32 features kept for the first product, 128 for ReLU, 128 for the second product, 10 logits.
TEST(ActivationMemory, OfTheSmallDenseNetworkIsCountedByHand) {
  const auto network = make_network("small_dense", 1, 10).value();
  EXPECT_EQ(training_activation_bytes(network, 1), (32 + 128 + 128 + 10) * 4);
  EXPECT_EQ(training_activation_bytes(network, 8, 2), (32 + 128 + 128 + 10) * 2 * 8);
  // The most at once: the features and the first product, in whose place ReLU writes.
  EXPECT_EQ(inference_activation_bytes(network, 1), (32 + 128) * 4);
}

TEST(ActivationMemory, OfTheSmallConvolutionalNetworkIsCountedByHand) {
  const auto network = make_network("small_cnn", 28, 10).value();
  const std::int64_t image = 28 * 28 * 3, wide = 28 * 28 * 16, half = 14 * 14 * 16, second = 14 * 14 * 32, quarter = 7 * 7 * 32;
  // Scaled image, two convolutions before and after ReLU, the pooled one, what is flattened after dropout, logits.
  EXPECT_EQ(training_activation_bytes(network, 1), (image + 2 * wide + half + 2 * second + quarter + 10) * 4);
  EXPECT_EQ(inference_activation_bytes(network, 3), (wide + half) * 4 * 3) << "the first convolution and its pooled form";
}

// A block's input lives until its skip is added: it, the expanded width before and after the depthwise layer.
TEST(ActivationMemory, KeepsWhatASkipWaitsFor) {
  NetworkBuilder b("skip", {4, 4, 8}, 2);
  int x = b.convolution("expand", 0, 48, 1, 1);
  x = b.depthwise("depthwise", x, 3, 1);
  x = b.convolution("project", x, 8, 1, 1);
  x = b.add("add", 0, x);
  x = b.global_avg_pool("pool", x);
  x = b.dense("predictions", x, 2);
  b.softmax_cross_entropy("loss", x);
  const auto network = b.take();
  EXPECT_EQ(inference_activation_bytes(network, 1), 16 * (8 + 48 + 48) * 4);
  EXPECT_EQ(training_activation_bytes(network, 1), (16 * (8 + 48 + 48) + 8 + 2) * 4);
}

TEST(ActivationMemory, CountsStatisticsOncePerBatch) {
  NetworkBuilder b("norm", {2, 2, 3}, 2);
  int x = b.batch_norm("norm", 0, Activation::relu);
  b.softmax_cross_entropy("loss", b.dense("dense", b.flatten("flatten", x), 2));
  const auto network = b.take();
  EXPECT_EQ(training_activation_bytes(network, 10, 2), (12 + 12 + 2) * 10 * 2 + 2 * 3 * 4);
}

TEST(ActivationMemory, GrowsWithTheBatchAndTrainingKeepsMore) {
  for (const auto& entry : models()) {
    const auto network = make_network(entry.name, entry.pixels, entry.classes).value();
    EXPECT_EQ(inference_activation_bytes(network, 8), 8 * inference_activation_bytes(network, 1)) << entry.name;
    EXPECT_GT(training_activation_bytes(network, 8), 7 * training_activation_bytes(network, 1)) << entry.name;
    EXPECT_GT(training_activation_bytes(network, 1), inference_activation_bytes(network, 1)) << entry.name;
  }
}

}  // namespace
}  // namespace detbench
