// The two small models with which people first meet nondeterminism: small enough to train hundreds of replicas.
#pragma once

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// Dense 128 with ReLU, then dense to the classes; what is no vector yet (pixels above 1) is flattened first. With
/// 1 pixel, 32 channels and 10 classes it is 32-128-10. Takes features as they are; `pixels` 1 to 1024.
Result<Network> make_small_dense(std::int64_t pixels, std::int64_t classes, std::int64_t channels = 32);

/// TensorFlow's image classification tutorial made shorter: x/255, twice a 3x3 "same" convolution (16, then 32 filters) with
/// bias and ReLU and 2x2 max pooling, dropout 0.2, flatten, dense to the classes. Meant for 28x28x3; `pixels` 4 to 1024.
Result<Network> make_small_cnn(std::int64_t pixels, std::int64_t classes, std::int64_t channels = 3);

}  // namespace detbench
