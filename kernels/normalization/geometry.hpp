// Where the pixels of one channel lie, and the fixed cut of all pixels into chunks.
#pragma once

#include <algorithm>
#include <string_view>

#include "kernels/normalization/batch_norm.hpp"
#include "kernels/normalization/kernels.hpp"
#include "kernels/normalization/order.hpp"

namespace detbench::normalization {

/// Pixels are numbered n, h, w in canonical order in every layout, so a chunk holds the same pixels in all of them.
struct Geometry {
  std::int64_t images, plane, channels;  ///< plane: H*W
  std::int64_t block = 0;                ///< 0: channels last; 1: planes; else channels per block

  std::int64_t pixels() const { return images * plane; }
  std::int64_t blocks() const { return (channels + block - 1) / block; }
  /// Channels the memory holds, padding included.
  std::int64_t padded_channels() const { return block > 1 ? blocks() * block : channels; }
  std::int64_t group_width() const { return block > 1 ? std::min<std::int64_t>(block, group) : group; }
  std::int64_t groups() const { return (padded_channels() + group_width() - 1) / group_width(); }

  std::int64_t chunk_pixels() const { return chunk_pixels_of(pixels()); }
  std::int64_t chunks() const { return chunk_count(pixels()); }

  /// Elements between neighbouring pixels of a run.
  std::int64_t stride() const { return block == 0 ? channels : block; }
  /// Calls run(offset of the first element, pixels, lane of the first pixel) for the pixels [begin, end) of the channels
  /// from `channel` on. Runs end where images do, unless channels lie last and all images are one run.
  template <class Run>
  void for_runs(std::int64_t begin, std::int64_t end, std::int64_t channel, Run run) const {
    if (block == 0) {
      run(begin * channels + channel, end - begin, 0);
      return;
    }
    for (std::int64_t p = begin; p < end;) {
      const std::int64_t image = p / plane, inside = p % plane, length = std::min(end - p, plane - inside);
      const std::int64_t row = image * blocks() + channel / block;
      run((row * plane + inside) * block + channel % block, length, static_cast<int>((p - begin) % lanes));
      p += length;
    }
  }

  /// Element-wise work has no order to keep; it is cut for memory: channels-last by pixels, whole rows at a time, other
  /// layouts by block and image. Calls fn(offset, pixels, first channel, channels).
  std::int64_t element_tasks() const { return block == 0 ? (pixels() + pixel_cut - 1) / pixel_cut : images * blocks(); }
  template <class Fn>
  void for_elements(std::int64_t task, Fn fn) const {
    if (block == 0) {
      const std::int64_t begin = task * pixel_cut;
      fn(begin * channels, std::min(pixel_cut, pixels() - begin), std::int64_t{0}, channels);
    } else {
      fn(task * plane * block, plane, task % blocks() * block, block);
    }
  }
  static constexpr std::int64_t pixel_cut = 16;
};

inline Geometry make_geometry(const BatchNormProblem& problem, std::string_view layout) {
  const std::int64_t block = layout == "nhwc" ? 0 : layout == "nchw" ? 1 : layout == "nchw8c" ? 8 : 16;
  return {problem.batch, problem.height * problem.width, problem.channels, block};
}

}  // namespace detbench::normalization
