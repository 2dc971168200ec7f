// One result of a fixed-order convolution, walked by one thread in the order of fixed_order.hpp; compiled for the host too,
// where tests hold it against the CPU's runner. All tensors are canonical: N,H,W,C and G,K,R,S,C.
#pragma once

#include <cstdint>

#include "kernels/convolution/fixed_order.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::fixed_order {

/// A convolution's numbers as a kernel takes them, by value.
struct ChainShape {
  std::int64_t mb, g, ic, ih, iw, oc, kh, kw, sh, sw, pt, pl, dh, dw, oh, ow, icg, ocg;
  std::int64_t chunk_rows, chunks;  ///< of a weight gradient

  static ChainShape of(const ConvolutionProblem& p) {
    return {p.mb, p.g,  p.ic, p.ih, p.iw,   p.oc,   p.kh,    p.kw,    p.sh,                p.sw,
            p.pt, p.pl, p.dh, p.dw, p.oh(), p.ow(), p.icg(), p.ocg(), wgrad_chunk_rows(p), wgrad_chunks(p)};
  }
  DETBENCH_HOST_DEVICE std::int64_t weights() const { return oc * kh * kw * icg; }
};

/// dst[index].
template <class In>
DETBENCH_HOST_DEVICE inline float forward_result(const ChainShape& p, const typename In::Stored* src, const typename In::Stored* weights,
                                                 std::int64_t index) {
  const std::int64_t k = index % p.oc, x = index / p.oc % p.ow, y = index / p.oc / p.ow % p.oh, n = index / p.oc / p.ow / p.oh;
  const auto* picture = src + n * p.ih * p.iw * p.ic + k / p.ocg * p.icg;
  const auto* filter = weights + k * p.kh * p.kw * p.icg;
  float acc = 0.0f;
  for (std::int64_t r = 0; r < p.kh; ++r)
    for (std::int64_t s = 0; s < p.kw; ++s, filter += p.icg) {
      const std::int64_t h = y * p.sh - p.pt + r * p.dh, w = x * p.sw - p.pl + s * p.dw;
      const bool inside = h >= 0 && h < p.ih && w >= 0 && w < p.iw;
      const auto* pixel = picture + (inside ? (h * p.iw + w) * p.ic : 0);
      for (std::int64_t c = 0; c < p.icg; ++c) acc = fused_multiply_add(inside ? In::widen(pixel[c]) : 0.0f, In::widen(filter[c]), acc);
    }
  return acc;
}

/// diff_src[index].
template <class In>
DETBENCH_HOST_DEVICE inline float dgrad_result(const ChainShape& p, const typename In::Stored* diff_dst, const typename In::Stored* weights,
                                               std::int64_t index) {
  const std::int64_t c = index % p.ic, w = index / p.ic % p.iw, h = index / p.ic / p.iw % p.ih, n = index / p.ic / p.iw / p.ih;
  const std::int64_t group = c / p.icg, filter_size = p.kh * p.kw * p.icg;
  const auto* picture = diff_dst + n * p.oh * p.ow * p.oc + group * p.ocg;
  float acc = 0.0f;
  for (std::int64_t r = 0; r < p.kh; ++r) {
    const std::int64_t y = h + p.pt - r * p.dh;
    if (y % p.sh != 0) continue;
    for (std::int64_t s = 0; s < p.kw; ++s) {
      const std::int64_t x = w + p.pl - s * p.dw;
      if (x % p.sw != 0) continue;
      // Whole quotients, also of what is negative; and those lie outside.
      const bool inside = y >= 0 && y / p.sh < p.oh && x >= 0 && x / p.sw < p.ow;
      const auto* pixel = picture + (inside ? (y / p.sh * p.ow + x / p.sw) * p.oc : 0);
      const auto* filter = weights + group * p.ocg * filter_size + (r * p.kw + s) * p.icg + c % p.icg;
      for (std::int64_t k = 0; k < p.ocg; ++k)
        acc = fused_multiply_add(inside ? In::widen(pixel[k]) : 0.0f, In::widen(filter[k * filter_size]), acc);
    }
  }
  return acc;
}

/// The part of diff_weights[index] that chunk `chunk` gives.
template <class In>
DETBENCH_HOST_DEVICE inline float wgrad_part(const ChainShape& p, const typename In::Stored* src, const typename In::Stored* diff_dst,
                                             std::int64_t chunk, std::int64_t index) {
  const std::int64_t c = index % p.icg, s = index / p.icg % p.kw, r = index / p.icg / p.kw % p.kh, k = index / p.icg / p.kw / p.kh;
  const std::int64_t channel = k / p.ocg * p.icg + c, rows = p.mb * p.oh, first = chunk * p.chunk_rows;
  const std::int64_t last = first + p.chunk_rows < rows ? first + p.chunk_rows : rows;
  float acc = 0.0f;
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t n = row / p.oh, h = row % p.oh * p.sh - p.pt + r * p.dh;
    if (h < 0 || h >= p.ih) continue;
    for (std::int64_t x = 0; x < p.ow; ++x) {
      const std::int64_t w = x * p.sw - p.pl + s * p.dw;
      if (w < 0 || w >= p.iw) continue;
      acc = fused_multiply_add(In::widen(diff_dst[(row * p.ow + x) * p.oc + k]), In::widen(src[((n * p.ih + h) * p.iw + w) * p.ic + channel]), acc);
    }
  }
  return acc;
}

/// A result from its chunks' parts, which lie `size` elements apart: added in ascending order.
DETBENCH_HOST_DEVICE inline float joined_chunks(const float* partials, std::int64_t chunks, std::int64_t size, std::int64_t index) {
  float sum = partials[index];
  for (std::int64_t chunk = 1; chunk < chunks; ++chunk) sum += partials[chunk * size + index];
  return sum;
}

}  // namespace detbench::fixed_order
