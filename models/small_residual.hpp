// A small network that has every source of randomness of the large ones: initial weights, dropout and drop-connect.
#pragma once

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// x/127.5 - 1; a 3x3 convolution of stride 2 to 16 channels; two residual blocks (depthwise 3x3, pointwise, each with
/// batch norm; drop-connect 0.2); a 3x3 convolution of stride 2 to 32; one such block; global average pooling, dropout 0.2,
/// dense to the classes. Batch norm's momentum is 0.9, because its trainings are short. Meant for 28x28x3; `pixels` 8 to 1024.
Result<Network> make_small_residual(std::int64_t pixels, std::int64_t classes, std::int64_t channels = 3);

}  // namespace detbench
