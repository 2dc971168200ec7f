#include "models/initializers.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "models/catalog.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench {
namespace {

using Kind = FillSpec::Kind;

Parameter parameter_named(const Network& network, const std::string& name) {
  for (auto& p : network.parameters())
    if (p.name == name) return p;
  ADD_FAILURE() << name;
  return {};
}

TEST(Initializers, TakeKerasFans) {
  const auto are = [](const Shape& shape, double in, double out) {
    EXPECT_EQ(keras_fans(shape).in, in);
    EXPECT_EQ(keras_fans(shape).out, out);
  };
  are({1, 16, 3, 3, 3}, 27, 144), are({48, 1, 3, 3, 1}, 9 * 48, 9), are({1000, 1280}, 1280, 1000);
}

TEST(Initializers, OfMobileNetV2AreGlorotUniform) {
  const auto network = make_network("mobilenet_v2_alpha0.35", 32, 10).value();
  for (const auto& p : network.parameters()) {
    const auto fill = initial_fill(network, p, 3);
    EXPECT_EQ(fill.kind, p.role == "kernel" ? Kind::uniform : Kind::constant);
    if (p.role != "kernel") {
      EXPECT_EQ(fill.scale, p.role == "gamma" ? 1.0 : 0.0) << p.name;
    }
    EXPECT_EQ(fill.stream, "weights/" + p.name);
  }
  const auto limit = [&](const char* name) { return initial_fill(network, parameter_named(network, name), 3).scale; };
  EXPECT_DOUBLE_EQ(limit("Conv1/kernel"), std::sqrt(6.0 / (27 + 144)));
  EXPECT_DOUBLE_EQ(limit("block_1_depthwise/kernel"), std::sqrt(6.0 / (9 * 48 + 9)));
  EXPECT_DOUBLE_EQ(limit("predictions/kernel"), std::sqrt(6.0 / 1290));
}

TEST(Initializers, OfEfficientNetAreItsVarianceScalings) {
  const auto network = make_network("efficientnet_b0", 32, 10).value();
  const auto is = [&](const char* name, Kind kind, double scale) {
    const auto fill = initial_fill(network, parameter_named(network, name), 3);
    EXPECT_EQ(fill.kind, kind) << name;
    EXPECT_DOUBLE_EQ(fill.scale, scale) << name;
  };
  const double cut = 0.87962566103423978;
  is("stem_conv/kernel", Kind::truncated_normal, std::sqrt(2.0 / (9 * 32)) / cut);
  is("block2a_dwconv/kernel", Kind::truncated_normal, std::sqrt(2.0 / 9) / cut);
  is("block3a_dwconv/kernel", Kind::truncated_normal, std::sqrt(2.0 / 25) / cut);
  is("block2a_project_conv/kernel", Kind::truncated_normal, std::sqrt(2.0 / 24) / cut);
  is("block2a_se_reduce/kernel", Kind::truncated_normal, std::sqrt(2.0 / 4) / cut);
  is("block2a_se_expand/kernel", Kind::truncated_normal, std::sqrt(2.0 / 96) / cut);
  is("block2a_se_expand/bias", Kind::constant, 0);
  is("predictions/kernel", Kind::uniform, 1 / std::sqrt(10.0));
  is("predictions/bias", Kind::constant, 0);
  is("top_bn/gamma", Kind::constant, 1);
  is("top_bn/beta", Kind::constant, 0);
}

TEST(Initializers, OfEfficientNetLiteAreNotCut) {
  const auto network = make_network("efficientnet_lite0", 32, 10).value();
  const auto depthwise = initial_fill(network, parameter_named(network, "block3a_dwconv/kernel"), 3);
  EXPECT_EQ(depthwise.kind, Kind::normal);
  EXPECT_DOUBLE_EQ(depthwise.scale, std::sqrt(2.0 / 25));
  EXPECT_EQ(initial_fill(network, parameter_named(network, "predictions/kernel"), 3).kind, Kind::uniform);
}

// What is really drawn: standard deviation sqrt(2 / fan_out) whichever of the two normals a family takes.
TEST(Initializers, DrawKernelsOfTheStatedDeviation) {
  for (const char* model : {"efficientnet_b0", "efficientnet_lite0"}) {
    const auto network = make_network(model, 32, 10).value();
    const auto p = parameter_named(network, "top_conv/kernel");
    const auto values = testing::filled<float>({p.name, DataType::f32, p.shape, {}}, initial_fill(network, p, 3));
    double sum = 0, squares = 0;
    for (const double v : values) sum += v, squares += v * v;
    const double n = static_cast<double>(values.size()), expected = std::sqrt(2.0 / 1280);
    EXPECT_NEAR(sum / n, 0, 5 * expected / std::sqrt(n)) << model;
    EXPECT_NEAR(std::sqrt(squares / n), expected, 0.01 * expected) << model;
  }
}

}  // namespace
}  // namespace detbench
