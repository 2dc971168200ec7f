// MobileNetV2 exactly as keras/src/applications/mobilenet_v2.py builds it (Keras 3.16.0).
#pragma once

#include <string>

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// `alpha` in (0, 8] scales the widths; `pixels` 32 to 4096, whether or not a multiple of 32; classes 1 to 2^20. Layer
/// names are Keras's: Conv1, bn_Conv1, expanded_conv_depthwise, block_1_expand, ..., Conv_1, predictions.
Result<Network> make_mobilenet_v2(double alpha, std::int64_t pixels, std::int64_t classes, std::int64_t channels = 3);

/// The shortest decimal that reads back as the same number, with a point: "0.35", "1.0".
std::string alpha_text(double alpha);

}  // namespace detbench
