// Every network by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// A network and what it was published with.
struct ModelEntry {
  std::string name;  ///< "mobilenet_v2_alpha0.35", "efficientnet_b0", "efficientnet_lite0", "small_cnn", "small_dense"
  std::int64_t pixels, channels, classes;
};

/// EfficientNet-B0..B7, Lite0..4, MobileNetV2 with the six alphas of Keras's published weights, the small models.
const std::vector<ModelEntry>& models();

/// The network of that name; MobileNetV2 with any alpha ("mobilenet_v2_alpha0.6"). `channels` 0 means the model's own.
/// Errors name the models that exist, or the number that the model cannot take and its range.
Result<Network> make_network(std::string_view model, std::int64_t pixels, std::int64_t classes, std::int64_t channels = 0);

}  // namespace detbench
