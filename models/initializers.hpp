// How parameters begin: Keras's initializers, drawn from Philox streams.
#pragma once

#include <cstdint>

#include "kernels/tensor/fill.hpp"
#include "models/network.hpp"

namespace detbench {

/// Fans as Keras computes them (initializers/random_initializers.py, compute_fans) on its own kernel shapes, for a canonical
/// kernel (G,K,R,S,C) or (K,C): a depthwise kernel is (kh,kw,C,1), so its fan_in is kh*kw*C and its fan_out kh*kw.
struct Fans {
  double in, out;
};
Fans keras_fans(const Shape& kernel);

/// How a parameter of the network begins: gamma 1, beta and bias 0, kernels by the network's initialization. The stream is
/// "weights/<parameter>", so a parameter's values do not depend on what other parameters there are.
///   glorot_uniform     uniform in [-limit, limit), limit = sqrt(6 / (fan_in + fan_out))
///   efficientnet       convolutions: normal cut at two deviations, of standard deviation sqrt(2 / fan_out) after the cut
///                      (before it 1/0.8796 of that); the classifier: uniform, limit 1 / sqrt(classes). Squeeze-excite's dense
///                      layers are convolutions in Keras.
///   efficientnet_lite  convolutions: normal, standard deviation sqrt(2 / fan_out), nothing cut (the fill's normal is the
///                      sum of twelve uniforms, so it ends at six deviations); the classifier: as above
FillSpec initial_fill(const Network& network, const Parameter& parameter, std::uint64_t seed);

}  // namespace detbench
