// The graphs and the target that these tests ask the real library about; no GPU is needed.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "kernels/convolution/graph_cudnn.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench::testing {

inline constexpr Direction directions[] = {Direction::forward, Direction::dgrad, Direction::wgrad};

/// 3x3, 64 -> 64 channels, 56x56, batch 32: the shape whose engines are known by id for cuDNN 9.19.
inline ConvolutionProblem dense_3x3(Direction direction, DataType type = DataType::f16, const std::string& layout = "nhwc") {
  ConvolutionProblem p;
  p.direction = direction;
  p.mb = 32, p.ic = p.oc = 64, p.ih = p.iw = 56, p.kh = p.kw = 3, p.pt = p.pb = p.pl = p.pr = 1;
  p.types.storage = type;
  if (direction == Direction::wgrad && type != DataType::f32) p.types.weight_gradient = type;
  p.layout = layout;
  return p;
}

inline ConvolutionProblem depthwise_3x3(Direction direction, DataType type = DataType::f16) {
  auto p = dense_3x3(direction, type);
  p.g = p.ic = p.oc = 144;
  return p;
}

/// A stride-2 layer as Keras pads it.
inline ConvolutionProblem one_sided(Direction direction, DataType type = DataType::f32) {
  auto p = dense_3x3(direction, type);
  p.sh = p.sw = 2, p.pt = p.pl = 0;
  return p;
}

inline cudnn::OperationGraph graph_of(const ConvolutionProblem& p, const DeviceConfiguration& configuration = {}) {
  auto stated = state_convolution(p, configuration);
  EXPECT_TRUE(stated) << stated.error().text;
  return stated->graph;
}

/// Skips without the library, which a machine may lack that has its headers.
class Cudnn : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto library = cudnn::library();
    if (!library) GTEST_SKIP() << library.error().text;
    auto target = cudnn::Target::of_architecture("sm_90");
    // Versions after 9.23 load no engines at all without the driver's library.
    if (!target && (*library)->version >= 92400 && !cudnn::driver_library_present()) GTEST_SKIP() << target.error().text;
    ASSERT_TRUE(target) << target.error().text;
    target_ = std::move(*target);
  }
  const cudnn::Target& target() const { return *target_; }
  /// Engine ids and knobs belong to one version; others are held to what every version must do.
  static bool is_9_19() { return cudnn_version()->starts_with("9.19."); }
  std::vector<cudnn::Engine> finalized(const cudnn::OperationGraph& graph, int sm_count_target = 0) const {
    std::vector<cudnn::Engine> engines;
    for (auto& engine : cudnn::describe_engines(graph, target(), sm_count_target))
      if (engine.finalized()) engines.push_back(std::move(engine));
    return engines;
  }
  static std::vector<std::int64_t> ids(const std::vector<cudnn::Engine>& engines) {
    std::vector<std::int64_t> ids;
    for (const auto& engine : engines) ids.push_back(engine.index);
    return ids;
  }

 private:
  std::optional<cudnn::Target> target_;
};

}  // namespace detbench::testing
