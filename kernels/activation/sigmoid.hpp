// Sigmoid, swish and its slope in f32, with the same bits on every CPU and GPU and in the vector kernels (sigmoid.inl). Faster than
// portable_math.hpp's, which goes through f64: a lane of f64 holds half as many elements. Within 4 units in the last place
// of the true value (tests hold them against long double), denormal results included; a NaN gives a NaN.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::activation {

#include "kernels/activation/sigmoid.inl"

DETBENCH_HOST_DEVICE inline float sigmoid_of(float x) {
  return sigmoid_pair<float, std::uint32_t>(x).value;
}
/// s (1 - s), the sigmoid's slope.
DETBENCH_HOST_DEVICE inline float sigmoid_slope_of(float x) {
  const SigmoidPair<float> s = sigmoid_pair<float, std::uint32_t>(x);
  return s.value * s.rest;
}
DETBENCH_HOST_DEVICE inline float swish_of(float x) { return swish<float, std::uint32_t>(x); }
DETBENCH_HOST_DEVICE inline float swish_slope_of(float x) { return swish_slope<float, std::uint32_t>(x); }

}  // namespace detbench::activation
