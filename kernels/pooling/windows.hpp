// The arithmetic of pooling over windows, element by element: what the CUDA kernels run, in a form that the host compiles
// too. Orders are fixed: a window is read row by row, and a gradient gathers its windows in the row-major order of their
// outputs.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::pooling {

/// Channels lie last, always: planes (NCHW) are N*C images of one channel.
struct Windows {
  std::int64_t images = 1, channels = 1;
  std::int32_t ih = 1, iw = 1, oh = 1, ow = 1;
  std::int32_t kh = 1, kw = 1, sh = 1, sw = 1, pt = 0, pl = 0;
  bool counts_padding = false;  ///< averages divide by kh*kw everywhere, and not by the pixels that exist

  DETBENCH_HOST_DEVICE std::int64_t inputs() const { return images * ih * iw * channels; }
  DETBENCH_HOST_DEVICE std::int64_t outputs() const { return images * oh * ow * channels; }
};

/// A position within its window, padding included: row * kw + column. The winner of a maximum.
using WindowPosition = std::uint16_t;

/// Half-open.
struct Range {
  std::int32_t first, last;
};

/// Pixels of the image that window `out` covers along one dimension; never empty where pads are below the window's size.
DETBENCH_HOST_DEVICE inline Range pixels_of(std::int32_t out, std::int32_t stride, std::int32_t pad, std::int32_t window, std::int32_t size) {
  const std::int32_t start = out * stride - pad, end = start + window;
  return {start > 0 ? start : 0, end < size ? end : size};
}

/// Windows that cover pixel `in` along one dimension; empty where the stride jumps over it.
DETBENCH_HOST_DEVICE inline Range windows_over(std::int32_t in, std::int32_t stride, std::int32_t pad, std::int32_t window, std::int32_t outputs) {
  const std::int32_t behind = in + pad - window + 1;  // the first window starts here or later
  const std::int32_t first = behind > 0 ? (behind + stride - 1) / stride : 0, last = (in + pad) / stride + 1;
  return {first, last < outputs ? last : outputs};
}

/// Windows over the pixel that most of them cover.
inline std::int64_t most_windows_over(const Windows& w) {
  const auto along = [](std::int32_t size, std::int32_t stride, std::int32_t pad, std::int32_t window, std::int32_t outputs) {
    std::int32_t most = 0;
    for (std::int32_t i = 0; i < size; ++i) {
      const Range over = windows_over(i, stride, pad, window, outputs);
      if (over.last - over.first > most) most = over.last - over.first;
    }
    return most;
  };
  return std::int64_t{along(w.ih, w.sh, w.pt, w.kh, w.oh)} * along(w.iw, w.sw, w.pl, w.kw, w.ow);
}

template <class Index>
struct Place {
  Index image, channel;
  std::int32_t y, x;
};

template <class Index>
DETBENCH_HOST_DEVICE Place<Index> place_of(Index i, std::int64_t channels, std::int32_t height, std::int32_t width) {
  Place<Index> p;
  p.channel = i % static_cast<Index>(channels);
  i /= static_cast<Index>(channels);
  p.x = static_cast<std::int32_t>(i % static_cast<Index>(width));
  i /= static_cast<Index>(width);
  p.y = static_cast<std::int32_t>(i % static_cast<Index>(height));
  p.image = i / static_cast<Index>(height);
  return p;
}

template <class Index>
DETBENCH_HOST_DEVICE std::int64_t offset_of(const Place<Index>& p, std::int32_t y, std::int32_t x, std::int64_t channels, std::int32_t height,
                                            std::int32_t width) {
  return ((static_cast<std::int64_t>(p.image) * height + y) * width + x) * channels + static_cast<std::int64_t>(p.channel);
}

/// Whether a later element takes the place of the best so far: the first of equals wins, and the first NaN stays.
DETBENCH_HOST_DEVICE inline bool beats(float value, float best) { return (value > best) | ((value != value) & (best == best)); }

/// What a window divides by.
DETBENCH_HOST_DEVICE inline float divisor_of(const Windows& w, std::int32_t y, std::int32_t x) {
  if (w.counts_padding) return static_cast<float>(w.kh * w.kw);
  const Range rows = pixels_of(y, w.sh, w.pt, w.kh, w.ih), columns = pixels_of(x, w.sw, w.pl, w.kw, w.iw);
  return static_cast<float>((rows.last - rows.first) * (columns.last - columns.first));
}

/// Output i's maximum and its winner; a null target is left out.
struct MaxForward {
  Windows w;
  const float* x;
  float* y;
  WindowPosition* winners;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.oh, w.ow);
    const Range rows = pixels_of(p.y, w.sh, w.pt, w.kh, w.ih), columns = pixels_of(p.x, w.sw, w.pl, w.kw, w.iw);
    float best = 0;
    std::int32_t winner = -1;
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = columns.first; s < columns.last; ++s) {
        const float value = x[offset_of(p, r, s, w.channels, w.ih, w.iw)];
        if (winner >= 0 && !beats(value, best)) continue;
        best = value;
        winner = (r - (p.y * w.sh - w.pt)) * w.kw + (s - (p.x * w.sw - w.pl));
      }
    if (y) y[i] = best;
    if (winners) winners[i] = static_cast<WindowPosition>(winner);
  }
};

/// Input i's gradient: what the windows over it that it won hand down.
struct MaxGather {
  Windows w;
  const WindowPosition* winners;
  const float* dy;
  float* dx;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.ih, w.iw);
    const Range rows = windows_over(p.y, w.sh, w.pt, w.kh, w.oh), columns = windows_over(p.x, w.sw, w.pl, w.kw, w.ow);
    float sum = 0;
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = columns.first; s < columns.last; ++s) {
        const std::int64_t out = offset_of(p, r, s, w.channels, w.oh, w.ow);
        if (winners[out] == (p.y - (r * w.sh - w.pt)) * w.kw + (p.x - (s * w.sw - w.pl))) sum += dy[out];
      }
    dx[i] = sum;
  }
};

/// Output i hands its gradient to the winner of its window; dx starts at zero.
template <class Add>
struct MaxScatter {
  Windows w;
  const WindowPosition* winners;
  const float* dy;
  float* dx;
  Add add;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.oh, w.ow);
    const std::int32_t row = p.y * w.sh - w.pt + winners[i] / w.kw, column = p.x * w.sw - w.pl + winners[i] % w.kw;
    add(dx + offset_of(p, row, column, w.channels, w.ih, w.iw), dy[i]);
  }
};

/// Output i: the sum, divided once.
struct AverageForward {
  Windows w;
  const float* x;
  float* y;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.oh, w.ow);
    const Range rows = pixels_of(p.y, w.sh, w.pt, w.kh, w.ih), columns = pixels_of(p.x, w.sw, w.pl, w.kw, w.iw);
    float sum = 0;
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = columns.first; s < columns.last; ++s) sum += x[offset_of(p, r, s, w.channels, w.ih, w.iw)];
    y[i] = sum / divisor_of(w, p.y, p.x);
  }
};

/// Input i's gradient: each window over it hands down its share, divided before it is added.
struct AverageGather {
  Windows w;
  const float* dy;
  float* dx;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.ih, w.iw);
    const Range rows = windows_over(p.y, w.sh, w.pt, w.kh, w.oh), columns = windows_over(p.x, w.sw, w.pl, w.kw, w.ow);
    float sum = 0;
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = columns.first; s < columns.last; ++s)
        sum += dy[offset_of(p, r, s, w.channels, w.oh, w.ow)] / divisor_of(w, r, s);
    dx[i] = sum;
  }
};

/// Output i hands every pixel of its window a share; dx starts at zero.
template <class Add>
struct AverageScatter {
  Windows w;
  const float* dy;
  float* dx;
  Add add;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto p = place_of(i, w.channels, w.oh, w.ow);
    const Range rows = pixels_of(p.y, w.sh, w.pt, w.kh, w.ih), columns = pixels_of(p.x, w.sw, w.pl, w.kw, w.iw);
    const float share = dy[i] / divisor_of(w, p.y, p.x);
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = columns.first; s < columns.last; ++s) add(dx + offset_of(p, r, s, w.channels, w.ih, w.iw), share);
  }
};

}  // namespace detbench::pooling
