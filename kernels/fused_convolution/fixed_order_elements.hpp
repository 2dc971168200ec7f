// What stands behind a fused convolution in fixed order, element by element; the same on the host and on a GPU, where each
// function object is a kernel.
//   bias_relu6  dst = min(max(sum + bias, 0), 6), rounded to the stored type once.
//   stats       dst is rounded; from what a reader of dst sees, y: chunks of chunk_pixels pixels, from +0 with pixels
//               ascending sum + y and square + y * y (product rounded, then sum rounded); then the chunks in order.
#pragma once

#include <cstdint>

#include "kernels/tensor/stored_types.hpp"

namespace detbench::fused_order {

inline constexpr std::int64_t chunk_pixels = 512;
DETBENCH_HOST_DEVICE constexpr std::int64_t chunks_of(std::int64_t pixels) { return (pixels + chunk_pixels - 1) / chunk_pixels; }

DETBENCH_HOST_DEVICE inline float add_bias_and_clip(float sum, float bias) {
  float y = sum + bias;
  y = y < 0.0f ? 0.0f : y;  // comparisons that a NaN fails leave it be
  return y > 6.0f ? 6.0f : y;
}

/// Over elements of dst. `dst` may be `sums`.
template <class Out>
struct FinishPixels {
  const float *sums, *bias;
  typename Out::Stored* dst;
  std::int64_t channels;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    dst[i] = Out::narrow(add_bias_and_clip(sums[i], bias[i % static_cast<Index>(channels)]));
  }
};

/// Over (chunk, channel): stores the chunk's pixels and its part of the two sums. `dst` may be `in`.
template <class Out>
struct StoreAndSumChunk {
  const float* in;
  typename Out::Stored* dst;
  float *sums, *squares;  ///< chunks, channels
  std::int64_t pixels, channels;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const std::int64_t chunk = i / static_cast<Index>(channels), channel = i % static_cast<Index>(channels);
    const std::int64_t last = (chunk + 1) * chunk_pixels < pixels ? (chunk + 1) * chunk_pixels : pixels;
    float sum = 0.0f, square = 0.0f;
    for (std::int64_t p = chunk * chunk_pixels; p < last; ++p) {
      const auto stored = Out::narrow(in[p * channels + channel]);
      dst[p * channels + channel] = stored;
      const float y = Out::widen(stored);
      sum += y;
      square += y * y;
    }
    sums[i] = sum;
    squares[i] = square;
  }
};

/// Over channels.
struct JoinChunks {
  const float *sums, *squares;
  float *sum, *square;
  std::int64_t chunks, channels;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index c) const {
    float s = sums[c], q = squares[c];
    for (std::int64_t k = 1; k < chunks; ++k) s += sums[k * channels + c], q += squares[k * channels + c];
    sum[c] = s;
    square[c] = q;
  }
};

}  // namespace detbench::fused_order
