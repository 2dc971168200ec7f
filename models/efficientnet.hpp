// EfficientNet-B0..B7 exactly as keras/src/applications/efficientnet.py builds them (Keras 3.16.0, weights=None), and
// EfficientNet-Lite0..4 as tensorflow/tpu's models/official/efficientnet/lite defines them.
#pragma once

#include <string>

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

enum class EfficientNetFamily {
  b,    ///< squeeze-excite, swish; in front Rescaling(1/255) and an untrained Normalization
  lite  ///< no squeeze-excite, ReLU6; stem, top and the repeats of the first and last stage unscaled
};

/// One variant: how much wider and deeper than B0 it is, and what it was published with.
struct EfficientNetVariant {
  std::string name;  ///< "efficientnet_b0", "efficientnet_lite4"
  EfficientNetFamily family;
  double width, depth;
  std::int64_t pixels;  ///< default input
  double dropout;       ///< in front of the classifier
};
/// B0..B7, then Lite0..4.
const std::vector<EfficientNetVariant>& efficientnet_variants();

/// `pixels` 32 to 4096 (any size, padding is TensorFlow's SAME), classes 1 to 2^20. Both families take images of 0..255: what
/// makes small numbers of them, x/255 and Lite's (x - 127)/128, is the layer "rescaling". Layer names are Keras's, for Lite
/// those that B0 has; a layer that Keras has inside another is called after it ("block1a_se_reduce_activation").
/// Drop-connect is 0.2 * block / blocks, in blocks that have a skip.
Result<Network> make_efficientnet(const EfficientNetVariant& variant, std::int64_t pixels, std::int64_t classes, std::int64_t channels = 3);

}  // namespace detbench
