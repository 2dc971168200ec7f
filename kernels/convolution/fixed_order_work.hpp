// What the tiles of fixed_order_tile.hpp work on: forward and dgrad as a gather, wgrad as sums over pixels. Which elements
// the links of a chain are, and in which order, is here; both are compiled for the host too.
#pragma once

#include <cstdint>

#include "kernels/convolution/fixed_order_chains.hpp"
#include "kernels/convolution/tap_pattern.hpp"

namespace detbench::fixed_order {

/// Rows are pixels, columns the channels that a group produces, links (tap, channel of the group that is summed).
template <class In_, bool Dgrad>
struct Gather {
  using In = In_;
  using Stored = typename In::Stored;
  static constexpr bool rows_along_chain = true, columns_along_chain = !Dgrad;

  TapPattern pattern;
  const Stored *in, *weights;
  void* out;
  bool out_is_f32;
  std::int64_t images, in_h, in_w, in_c, out_h, out_w, out_c;
  std::int64_t groups, ocg, icg, filter;  ///< `filter`: elements of one output channel's filter
  std::int64_t row_tiles, column_tiles;

  static Gather of(const ConvolutionProblem& p, const TapPattern& pattern, const void* in, const void* weights, void* out, bool out_is_f32,
                   int tile_rows, int tile_columns) {
    Gather w{pattern, static_cast<const Stored*>(in), static_cast<const Stored*>(weights), out, out_is_f32,
             p.mb, p.ih, p.iw, p.ic, p.oh(), p.ow(), p.oc, p.g, p.ocg(), p.icg(), p.kh * p.kw * p.icg(), 0, 0};
    if (Dgrad) w.in_h = p.oh(), w.in_w = p.ow(), w.in_c = p.oc, w.out_h = p.ih, w.out_w = p.iw, w.out_c = p.ic;
    w.row_tiles = (w.pixels() + tile_rows - 1) / tile_rows;
    w.column_tiles = (w.width() + tile_columns - 1) / tile_columns;
    return w;
  }

  DETBENCH_HOST_DEVICE std::int64_t pixels() const { return images * pattern.rows * pattern.columns; }
  DETBENCH_HOST_DEVICE std::int64_t depth() const { return Dgrad ? ocg : icg; }
  DETBENCH_HOST_DEVICE std::int64_t width() const { return Dgrad ? icg : ocg; }
  std::int64_t blocks() const { return groups * row_tiles * column_tiles; }
  std::int64_t links() const { return std::int64_t{pattern.tap_rows} * pattern.tap_columns * depth(); }

  struct Place {
    std::int64_t first_row, first_column, group;
    std::int32_t links, depth;
    int tile_rows, tile_columns;
  };
  /// Where a pixel's image begins, and the pixel that tap (0, 0) of an unshifted filter would read.
  struct RowPlace {
    std::int64_t image;  ///< -1: there is no such pixel
    std::int32_t y, x;
    std::int64_t target;
  };

  DETBENCH_HOST_DEVICE Place place(std::int64_t block, int tile_rows, int tile_columns) const {
    // Neighbouring blocks read the same pixels.
    const std::int64_t column = block % column_tiles, row = block / column_tiles % row_tiles, group = block / column_tiles / row_tiles;
    const auto taps = pattern.tap_rows * pattern.tap_columns;
    return {row * tile_rows, column * tile_columns, group, taps * static_cast<std::int32_t>(depth()), static_cast<std::int32_t>(depth()), tile_rows, tile_columns};
  }
  DETBENCH_HOST_DEVICE RowPlace row_place(const Place& at, int row) const {
    const std::int64_t pixel = at.first_row + row, image_pixels = pattern.rows * pattern.columns;
    if (pixel >= pixels()) return {-1, 0, 0, -1};
    const std::int64_t n = pixel / image_pixels, i = pixel % image_pixels / pattern.columns, j = pixel % pattern.columns;
    const std::int64_t y = pattern.out_y + i * pattern.out_y_step, x = pattern.out_x + j * pattern.out_x_step;
    return {n * in_h * in_w * in_c + at.group * depth(), static_cast<std::int32_t>(i * pattern.i_step), static_cast<std::int32_t>(j * pattern.j_step),
            ((n * out_h + y) * out_w + x) * out_c + at.group * width()};
  }
  DETBENCH_HOST_DEVICE const Stored* row_address(const Place& at, const RowPlace& row, int, std::int32_t link) const {
    if (link >= at.links || row.image < 0) return nullptr;
    const auto tap = static_cast<std::int32_t>(static_cast<std::uint32_t>(link) / static_cast<std::uint32_t>(at.depth)), d = link - tap * at.depth;
    const std::int32_t r = pattern.tap_columns == 1 ? tap : tap / pattern.tap_columns, s = tap - r * pattern.tap_columns;
    const std::int32_t y = row.y + pattern.y0 + r * pattern.y_tap, x = row.x + pattern.x0 + s * pattern.x_tap;
    if (y < 0 || y >= in_h || x < 0 || x >= in_w) return nullptr;  // a tap in the padding takes part as +0
    return in + row.image + (y * in_w + x) * in_c + d;
  }
  DETBENCH_HOST_DEVICE const Stored* column_address(const Place& at, int column, std::int32_t link) const {
    if (link >= at.links || at.first_column + column >= width()) return nullptr;
    if constexpr (!Dgrad) return weights + (at.group * ocg + at.first_column + column) * filter + link;  // (tap, channel) as they lie
    const auto tap = static_cast<std::int32_t>(static_cast<std::uint32_t>(link) / static_cast<std::uint32_t>(at.depth)), d = link - tap * at.depth;
    const std::int32_t r = pattern.tap_columns == 1 ? tap : tap / pattern.tap_columns, s = tap - r * pattern.tap_columns;
    const std::int32_t element = pattern.filter0 + r * pattern.filter_row + s * pattern.filter_column;
    return weights + (at.group * ocg + d) * filter + element * icg + at.first_column + column;
  }
  DETBENCH_HOST_DEVICE void put(const Place& at, const RowPlace& row, int, int column, float value) const {
    if (row.image < 0 || at.first_column + column >= width()) return;
    const std::int64_t index = row.target + at.first_column + column;
    if (out_is_f32) static_cast<float*>(out)[index] = value;
    else static_cast<Stored*>(out)[index] = In::narrow(value);
  }
};

/// Rows are a group's output channels, columns its input channels, links the pixels of one chunk that one tap meets.
template <class In_>
struct PixelChains {
  using In = In_;
  using Stored = typename In::Stored;
  static constexpr bool rows_along_chain = false, columns_along_chain = false;

  ChainShape p;
  const Stored *src, *diff_dst;
  float* parts;  ///< chunks, weights
  std::int64_t row_tiles, column_tiles;

  static PixelChains of(const ConvolutionProblem& problem, const void* src, const void* diff_dst, float* parts, int tile_rows, int tile_columns) {
    return {ChainShape::of(problem), static_cast<const Stored*>(src), static_cast<const Stored*>(diff_dst), parts,
            (problem.ocg() + tile_rows - 1) / tile_rows, (problem.icg() + tile_columns - 1) / tile_columns};
  }
  std::int64_t blocks() const { return p.chunks * p.g * p.kh * p.kw * row_tiles * column_tiles; }

  struct Place {
    std::int64_t chunk, group, first_row, first_column;
    std::int32_t r, s, links;
    /// Of an image: the output rows [y_first, y_first + ys) and columns [x_first, x_first + xs) whose tap lies inside.
    std::int32_t y_first, ys, x_first, xs;
    std::int64_t skipped;  ///< such rows before the chunk's first
  };
  struct RowPlace {};

  /// Output positions [first, first + count) whose tap at `dilated` lies in [0, size).
  struct Inside {
    std::int64_t first, count;
  };
  DETBENCH_HOST_DEVICE static Inside inside(std::int64_t dilated, std::int64_t pad, std::int64_t stride, std::int64_t size, std::int64_t outputs) {
    const std::int64_t shift = pad - dilated;  // position y meets y * stride - shift
    const std::int64_t first = shift <= 0 ? 0 : (shift + stride - 1) / stride, room = size - 1 + shift;
    std::int64_t last = room < 0 ? 0 : room / stride + 1;
    if (last > outputs) last = outputs;
    return {first, last > first ? last - first : 0};
  }
  DETBENCH_HOST_DEVICE static std::int64_t rows_before(std::int64_t row, std::int64_t image_rows, const Inside& y) {
    std::int64_t in_image = row % image_rows - y.first;
    if (in_image < 0) in_image = 0;
    return row / image_rows * y.count + (in_image < y.count ? in_image : y.count);
  }

  DETBENCH_HOST_DEVICE Place place(std::int64_t block, int tile_rows, int tile_columns) const {
    Place at;
    at.first_column = block % column_tiles * tile_columns, block /= column_tiles;
    at.first_row = block % row_tiles * tile_rows, block /= row_tiles;
    at.s = static_cast<std::int32_t>(block % p.kw), block /= p.kw;
    at.r = static_cast<std::int32_t>(block % p.kh), block /= p.kh;
    at.group = block % p.g, at.chunk = block / p.g;
    const auto y = inside(at.r * p.dh, p.pt, p.sh, p.ih, p.oh), x = inside(at.s * p.dw, p.pl, p.sw, p.iw, p.ow);
    const std::int64_t rows = p.mb * p.oh, first = at.chunk * p.chunk_rows, last = first + p.chunk_rows < rows ? first + p.chunk_rows : rows;
    at.skipped = rows_before(first, p.oh, y);
    at.links = static_cast<std::int32_t>((rows_before(last, p.oh, y) - at.skipped) * x.count);
    at.y_first = static_cast<std::int32_t>(y.first), at.ys = static_cast<std::int32_t>(y.count);
    at.x_first = static_cast<std::int32_t>(x.first), at.xs = static_cast<std::int32_t>(x.count);
    return at;
  }
  DETBENCH_HOST_DEVICE RowPlace row_place(const Place&, int) const { return {}; }

  /// The pixel of a link: image, output row and column.
  struct Pixel {
    std::int64_t n;
    std::int32_t y, x;
  };
  DETBENCH_HOST_DEVICE Pixel pixel(const Place& at, std::int32_t link) const {
    const auto row = static_cast<std::uint32_t>(link) / static_cast<std::uint32_t>(at.xs);
    const auto inside_row = static_cast<std::uint32_t>(at.skipped + row), n = inside_row / static_cast<std::uint32_t>(at.ys);
    return {n, static_cast<std::int32_t>(at.y_first + inside_row - n * static_cast<std::uint32_t>(at.ys)),
            static_cast<std::int32_t>(at.x_first + link - row * static_cast<std::uint32_t>(at.xs))};
  }
  DETBENCH_HOST_DEVICE const Stored* row_address(const Place& at, const RowPlace&, int row, std::int32_t link) const {
    if (link >= at.links || at.first_row + row >= p.ocg) return nullptr;
    const auto pixel = this->pixel(at, link);
    return diff_dst + ((pixel.n * p.oh + pixel.y) * p.ow + pixel.x) * p.oc + at.group * p.ocg + at.first_row + row;
  }
  DETBENCH_HOST_DEVICE const Stored* column_address(const Place& at, int column, std::int32_t link) const {
    if (link >= at.links || at.first_column + column >= p.icg) return nullptr;
    const auto pixel = this->pixel(at, link);
    const std::int64_t h = pixel.y * p.sh - p.pt + at.r * p.dh, w = pixel.x * p.sw - p.pl + at.s * p.dw;
    return src + ((pixel.n * p.ih + h) * p.iw + w) * p.ic + at.group * p.icg + at.first_column + column;
  }
  DETBENCH_HOST_DEVICE void put(const Place& at, const RowPlace&, int row, int column, float value) const {
    if (at.first_row + row >= p.ocg || at.first_column + column >= p.icg) return;
    const std::int64_t k = at.group * p.ocg + at.first_row + row, c = at.first_column + column;
    parts[at.chunk * p.weights() + ((k * p.kh + at.r) * p.kw + at.s) * p.icg + c] = value;
  }
};

/// Whether a tile may take the problem: links, rows and pixels' places fit 32 bits.
inline bool fits_tiles(const ConvolutionProblem& p) {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 4096;
  return p.kh * p.kw * (p.direction == Direction::dgrad ? p.ocg() : p.icg()) < most && p.mb * p.oh() < most && wgrad_chunk_rows(p) * p.ow() < most;
}

/// Whether groups of four neighbouring channels lie within one pixel, tap and group, and begin at multiples of four.
inline bool fits_vectors(const ConvolutionProblem& p) { return p.icg() % 4 == 0 && p.ocg() % 4 == 0; }

}  // namespace detbench::fixed_order
