// Small networks and their data for the tests of models/.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "models/initializers.hpp"
#include "models/network.hpp"

namespace detbench::testing {

/// Every kind of layer once or twice: strides on odd and even sizes, a depthwise layer, a residual, both batch norms.
inline Network small_network() {
  NetworkBuilder b("small", {9, 10, 3}, 4);
  int x = b.convolution("stem", 0, 8, 3, 2);
  x = b.batch_norm("stem_bn", x, Activation::relu6);
  const int input = x;
  x = b.convolution("expand", x, 24, 1, 1);
  x = b.batch_norm("expand_bn", x, Activation::relu6);
  x = b.depthwise("depthwise", x, 3, 1);
  x = b.batch_norm("depthwise_bn", x, Activation::relu6);
  x = b.convolution("project", x, 8, 1, 1);
  x = b.batch_norm("project_bn", x, Activation::none);
  x = b.add("add", input, x);
  x = b.depthwise("down", x, 3, 2);
  x = b.batch_norm("down_bn", x, Activation::relu6);
  x = b.convolution("top", x, 20, 1, 1);
  x = b.batch_norm("top_bn", x, Activation::relu6);
  x = b.global_avg_pool("pool", x);
  x = b.dense("predictions", x, 4);
  b.softmax_cross_entropy("loss", x);
  return b.take();
}

/// Host values of a fill, in canonical order.
template <class T>
std::vector<T> filled(const TensorSpec& spec, const FillSpec& fill) {
  TensorSpec canonical = spec;
  canonical.layout = canonical_layout(spec.shape);
  std::vector<T> values(element_count(spec.shape));
  EXPECT_TRUE(fill_on_host({canonical, {values.data(), values.size() * sizeof(T)}}, fill));
  return values;
}

/// Images, labels and initial parameters in fp64, the values of f32 exactly.
struct Example {
  std::vector<double> images;
  std::vector<std::int32_t> labels;
  std::vector<std::vector<double>> parameters;

  Example(const Network& network, std::int64_t batch, std::uint64_t seed) {
    const auto widen = [](const std::vector<float>& f) { return std::vector<double>(f.begin(), f.end()); };
    const Shape shape{batch, network.image.height, network.image.width, network.image.channels};
    images = widen(filled<float>({"images", DataType::f32, shape, {}}, {FillSpec::Kind::uniform, seed, "images", 1.0, 1, 1.0}));
    labels = filled<std::int32_t>({"labels", DataType::i32, {batch}, {}}, {FillSpec::Kind::index, seed, "labels", 1.0, network.classes, 1.0});
    for (const auto& p : network.parameters()) parameters.push_back(widen(filled<float>({p.name, DataType::f32, p.shape, {}}, initial_fill(network, p, seed))));
  }
};

}  // namespace detbench::testing
