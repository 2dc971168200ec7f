// The arithmetic of bilinear resizing's gradient, element by element: what the CUDA kernels run, in a form that the host
// compiles too. A gradient that is gathered takes its outputs in row-major order; each term is (row weight * column weight)
// * gradient, each operation rounded by itself.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::resize {

/// Channels lie last, always: planes (NCHW) are N*C images of one channel.
struct Sizes {
  std::int64_t images = 1, channels = 1;
  std::int32_t ih = 1, iw = 1, oh = 1, ow = 1;

  DETBENCH_HOST_DEVICE std::int64_t inputs() const { return images * ih * iw * channels; }
  DETBENCH_HOST_DEVICE std::int64_t outputs() const { return images * oh * ow * channels; }
};

/// The inputs that one output reads along a dimension: `first` with weight `own`, first + 1 with `next`, which is 0 where
/// there is none.
struct Neighbours {
  std::int32_t first;
  float own, next;
};
/// (o + 1/2) I/O - 1/2 is ((2o + 1) I - O) / 2O. Sizes are at most 2^14, so the parts are exact in f32 and each weight is
/// rounded once.
DETBENCH_HOST_DEVICE inline Neighbours neighbours_of(std::int32_t output, std::int32_t inputs, std::int32_t outputs) {
  const std::int32_t twice = 2 * outputs, position = (2 * output + 1) * inputs - outputs;
  if (position <= 0) return {0, 1.0f, 0.0f};
  const std::int32_t first = position / twice, rest = position % twice;
  if (first >= inputs - 1) return {inputs - 1, 1.0f, 0.0f};
  return {first, static_cast<float>(twice - rest) / static_cast<float>(twice), static_cast<float>(rest) / static_cast<float>(twice)};
}

/// Half-open.
struct Range {
  std::int32_t first, last;
};
/// The outputs that read input i with a weight above 0: those whose position lies within one pixel of it, and at an end all
/// beyond. Empty where shrinking jumps over it.
DETBENCH_HOST_DEVICE inline Range outputs_over(std::int32_t input, std::int32_t inputs, std::int32_t outputs) {
  const std::int64_t wide = inputs, o = outputs;
  // (2p + 1) I > (2i - 1) O, and (2p + 1) I < (2i + 3) O; both sides are positive where they are used.
  std::int64_t first = 0, last = o;
  if (input > 0 && (2 * std::int64_t{input} - 1) * o >= wide) first = ((2 * std::int64_t{input} - 1) * o - wide) / (2 * wide) + 1;
  if (input + 1 < inputs) {
    const std::int64_t end = (2 * std::int64_t{input} + 3) * o - wide;  // p < end / 2I
    last = end > 0 ? (end + 2 * wide - 1) / (2 * wide) : 0;
  }
  if (last > o) last = o;
  if (first > last) first = last;
  return {static_cast<std::int32_t>(first), static_cast<std::int32_t>(last)};
}

/// How much input i has of an output that reads it.
DETBENCH_HOST_DEVICE inline float weight_of(const Neighbours& read, std::int32_t input) { return read.first == input ? read.own : read.next; }

/// Outputs that meet in the input that most of them read.
inline std::int64_t most_outputs_over(const Sizes& sizes) {
  const auto along = [](std::int32_t inputs, std::int32_t outputs) {
    std::int32_t most = 0;
    for (std::int32_t i = 0; i < inputs; ++i) {
      const Range over = outputs_over(i, inputs, outputs);
      if (over.last - over.first > most) most = over.last - over.first;
    }
    return most;
  };
  return std::int64_t{along(sizes.ih, sizes.oh)} * along(sizes.iw, sizes.ow);
}

struct Place {
  std::int64_t image, channel;
  std::int32_t y, x;
};
/// Where element i of an activation lies, channels last. Divisions are in the type of i: those of 32 bits cost a GPU less.
template <class Index>
DETBENCH_HOST_DEVICE inline Place place_of(Index i, std::int64_t channels, std::int32_t height, std::int32_t width) {
  const Index pixel = i / static_cast<Index>(channels), row = pixel / static_cast<Index>(width);
  return {static_cast<std::int64_t>(row / static_cast<Index>(height)), static_cast<std::int64_t>(i % static_cast<Index>(channels)),
          static_cast<std::int32_t>(row % static_cast<Index>(height)), static_cast<std::int32_t>(pixel % static_cast<Index>(width))};
}

/// Input i's gradient.
template <class Stored>
struct Gather {
  Sizes sizes;
  const typename Stored::Stored* dy;
  float* dx;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto [image, channel, y, x] = place_of(i, sizes.channels, sizes.ih, sizes.iw);
    const Range rows = outputs_over(y, sizes.ih, sizes.oh), columns = outputs_over(x, sizes.iw, sizes.ow);
    float sum = 0;
    for (std::int32_t r = rows.first; r < rows.last; ++r) {
      const float row = weight_of(neighbours_of(r, sizes.ih, sizes.oh), y);
      for (std::int32_t c = columns.first; c < columns.last; ++c) {
        const float weight = row * weight_of(neighbours_of(c, sizes.iw, sizes.ow), x);
        sum += weight * Stored::widen(dy[((image * sizes.oh + r) * sizes.ow + c) * sizes.channels + channel]);
      }
    }
    dx[i] = sum;
  }
};

/// Output i hands its gradient to the inputs it read; dx starts at zero. Those without a weight are left out, as when gathered.
template <class Stored, class Add>
struct Scatter {
  Sizes sizes;
  const typename Stored::Stored* dy;
  float* dx;
  Add add;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto [image, channel, y, x] = place_of(i, sizes.channels, sizes.oh, sizes.ow);
    const Neighbours rows = neighbours_of(y, sizes.ih, sizes.oh), columns = neighbours_of(x, sizes.iw, sizes.ow);
    const float gradient = Stored::widen(dy[i]);
    const auto hand = [&](std::int32_t r, std::int32_t c, float weight) {
      add(dx + ((image * sizes.ih + r) * sizes.iw + c) * sizes.channels + channel, weight * gradient);
    };
    hand(rows.first, columns.first, rows.own * columns.own);
    if (columns.next > 0) hand(rows.first, columns.first + 1, rows.own * columns.next);
    if (rows.next > 0) hand(rows.first + 1, columns.first, rows.next * columns.own);
    if (rows.next > 0 && columns.next > 0) hand(rows.first + 1, columns.first + 1, rows.next * columns.next);
  }
};

}  // namespace detbench::resize
