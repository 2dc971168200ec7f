// How parameters begin: Keras's initializers, drawn from Philox streams.
#pragma once

#include <cstdint>

#include "kernels/tensor/fill.hpp"
#include "models/network.hpp"

namespace detbench {

/// glorot_uniform for kernels: uniform in [-limit, limit), limit = sqrt(6/(fan_in + fan_out)); gamma 1; beta and bias 0.
/// Fans are Keras's (initializers/random_initializers.py, compute_fans) on its own kernel shapes, so a depthwise kernel
/// (kh,kw,C,1) has fan_in kh*kw*C and fan_out kh*kw. The stream is "weights/<parameter>", so a parameter's values do not
/// depend on what other parameters there are.
FillSpec initial_fill(const Parameter& parameter, std::uint64_t seed);

/// The limit of glorot_uniform for a canonical kernel shape (G,K,R,S,C) or (K,C).
double glorot_uniform_limit(const Shape& shape);

}  // namespace detbench
