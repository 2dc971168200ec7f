// The arithmetic of the fixed-order batch norm per channel and per element, and the cut of pixels into chunks: one place
// for CPU and CUDA. Lanes within a chunk and their tree are those of kernels/reduction/channel_chunks.hpp; here chunks
// are met in ascending order. Only + - * / and sqrt, each rounded on its own (METHOD section 10).
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/activation/sigmoid.hpp"
#include "kernels/normalization/kernels.hpp"
#include "kernels/reduction/channel_chunks.hpp"

namespace detbench::normalization {

static_assert(lanes == reduction::channel_lanes);

/// A function of the problem alone, never of threads, grids or instruction sets: at most 256 chunks, so that adding them
/// in order stays cheap and accurate, and at least 128 pixels each, which stay in a CPU's first-level cache for the
/// second walk over them.
inline constexpr std::int64_t most_chunks = 256;
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_pixels_of(std::int64_t pixels) {
  const std::int64_t even = (pixels + most_chunks - 1) / most_chunks, whole = (even + lanes - 1) / lanes * lanes;
  return whole > 128 ? whole : 128;
}
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_count(std::int64_t pixels) {
  return (pixels + chunk_pixels_of(pixels) - 1) / chunk_pixels_of(pixels);
}
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_end(std::int64_t chunk, std::int64_t pixels) {
  const std::int64_t end = (chunk + 1) * chunk_pixels_of(pixels);
  return end < pixels ? end : pixels;
}

DETBENCH_HOST_DEVICE inline float inverse_deviation(float variance, float epsilon) { return 1.0f / sqrtf(variance + epsilon); }

/// The forward as one multiplication and one addition: y = x*scale + shift.
struct Affine {
  float scale, shift;
};
DETBENCH_HOST_DEVICE inline Affine affine_of(float gamma, float beta, float mean, float variance, float epsilon) {
  const float scale = gamma / sqrtf(variance + epsilon);
  return {scale, beta - mean * scale};
}

template <Activation A>
DETBENCH_HOST_DEVICE inline float activated(float y) {
  // y < 0 first: a NaN fails both comparisons and stays a NaN.
  if constexpr (A == Activation::relu) return y < 0.0f ? 0.0f : y;
  if constexpr (A == Activation::relu6) return y < 0.0f ? 0.0f : y > 6.0f ? 6.0f : y;
  if constexpr (A == Activation::swish) return activation::swish_of(y);
  return y;
}
/// The gradient behind the activation becomes the one before it.
template <Activation A>
DETBENCH_HOST_DEVICE inline float through(float dy, float y) {
  if constexpr (A == Activation::relu) return y > 0.0f ? dy : 0.0f;
  if constexpr (A == Activation::relu6) return y > 0.0f && y < 6.0f ? dy : 0.0f;
  if constexpr (A == Activation::swish) return dy * activation::swish_slope_of(y);
  return dy;
}

/// Calls f with the activation as a type (std::integral_constant); batch norm has no others.
template <class F>
inline auto with_activation(Activation activation, F&& f) {
  switch (activation) {
    case Activation::relu: return f(std::integral_constant<Activation, Activation::relu>{});
    case Activation::relu6: return f(std::integral_constant<Activation, Activation::relu6>{});
    case Activation::swish: return f(std::integral_constant<Activation, Activation::swish>{});
    default: return f(std::integral_constant<Activation, Activation::none>{});
  }
}

struct Statistics {
  float mean, variance;
};
/// Chunk sums and sums of squared distances from each chunk's own mean, met in ascending order (Chan, Golub, LeVeque
/// 1983); sum(k) and square(k) read them.
template <class Sum, class Square>
DETBENCH_HOST_DEVICE inline Statistics meet_statistics(std::int64_t pixels, Sum&& sum, Square&& square) {
  const std::int64_t chunks = chunk_count(pixels), length = chunk_pixels_of(pixels);
  const auto count = static_cast<float>(pixels);
  float total = 0.0f, spread = 0.0f;
  for (std::int64_t k = 0; k < chunks; ++k) total += sum(k);
  const float mean = total / count;
  for (std::int64_t k = 0; k < chunks; ++k) {
    const auto n = static_cast<float>(chunk_end(k, pixels) - k * length);
    const float distance = sum(k) / n - mean;
    spread += square(k) + n * (distance * distance);
  }
  return {mean, spread / count};
}

/// What the backward writes and needs per channel: diff_src = scale*((d - offset) - (x - mean)*slope).
struct Gradients {
  float diff_gamma, diff_beta, offset, slope;
};
/// From sum(d) and sum(d*(x - mean)).
DETBENCH_HOST_DEVICE inline Gradients gradients_of(float sum_d, float sum_dx, float inverse, std::int64_t pixels) {
  const auto count = static_cast<float>(pixels);
  const float diff_gamma = sum_dx * inverse;
  return {diff_gamma, sum_d, sum_d / count, inverse * (diff_gamma / count)};
}
DETBENCH_HOST_DEVICE inline float source_gradient(float x, float d, float mean, float scale, float offset, float slope) {
  return scale * ((d - offset) - (x - mean) * slope);
}

}  // namespace detbench::normalization
