#include "kernels/convolution/fixed_order.hpp"

#include <algorithm>
#include <cstring>

namespace detbench {

using ordered::panel_columns;

std::int64_t wgrad_chunk_rows(const ConvolutionProblem& p) {
  constexpr std::int64_t most_chunks = 64, fewest_pixels = 512;
  const std::int64_t rows = p.mb * p.oh();
  return std::min(rows, std::max((rows + most_chunks - 1) / most_chunks, (fewest_pixels + p.ow() - 1) / p.ow()));
}

std::int64_t wgrad_chunks(const ConvolutionProblem& p) {
  return (p.mb * p.oh() + wgrad_chunk_rows(p) - 1) / wgrad_chunk_rows(p);
}

namespace fixed_order {
namespace {

constexpr int most_rows = ordered::most_tile_rows;
constexpr std::int64_t tiles_per_task = 8;  ///< a panel stays in the cache while this many tiles use it
constexpr std::int64_t depthwise_channels_per_task = 64;

std::int64_t panels_of(std::int64_t width) { return (width + panel_columns - 1) / panel_columns; }
std::int64_t depth_of(const ConvolutionProblem& p) { return p.direction == Direction::dgrad ? p.ocg() : p.icg(); }
std::int64_t width_of(const ConvolutionProblem& p) { return p.direction == Direction::dgrad ? p.icg() : p.ocg(); }

std::int64_t packed_elements(const ConvolutionProblem& p) {
  if (p.depthwise()) return p.kh * p.kw * p.g;
  return p.g * panels_of(width_of(p)) * p.kh * p.kw * depth_of(p) * panel_columns;
}
std::int64_t zero_elements(const ConvolutionProblem& p) { return p.depthwise() ? p.g : depth_of(p); }

}  // namespace

std::int64_t workspace_elements(const ConvolutionProblem& p) {
  if (p.direction != Direction::wgrad) return packed_elements(p) + zero_elements(p);
  // A depthwise sum is always transposed on its way out; a dense one needs no partials when there is one chunk.
  const auto chunks = wgrad_chunks(p);
  return chunks > 1 || p.depthwise() ? chunks * element_count(p.weights_shape()) : 0;
}

Runner::Runner(const ConvolutionProblem& problem, const ordered::Kernels& kernels) : p_(problem), kernels_(kernels) {
  const bool dgrad = p_.direction == Direction::dgrad;
  in_h_ = dgrad ? p_.oh() : p_.ih, in_w_ = dgrad ? p_.ow() : p_.iw, in_c_ = dgrad ? p_.oc : p_.ic;
  out_h_ = dgrad ? p_.ih : p_.oh(), out_w_ = dgrad ? p_.iw : p_.ow(), out_c_ = dgrad ? p_.ic : p_.oc;
  depth_ = depth_of(p_), width_ = width_of(p_);
  if (p_.direction != Direction::wgrad) make_patterns();
}

void Runner::make_patterns() {
  if (p_.direction == Direction::forward) {
    i_step_ = p_.sh, j_step_ = p_.sw;
    Pattern all{out_h_, out_w_, 0, 1, 0, 1, {}, forward_pattern(p_)};
    for (std::int64_t r = 0; r < p_.kh; ++r)
      for (std::int64_t s = 0; s < p_.kw; ++s) all.taps.push_back({r * p_.kw + s, r * p_.dh - p_.pt, s * p_.dw - p_.pl});
    patterns_.push_back(std::move(all));
    return;
  }
  for (std::int64_t y0 = 0; y0 < std::min(p_.sh, p_.ih); ++y0)
    for (std::int64_t x0 = 0; x0 < std::min(p_.sw, p_.iw); ++x0) {
      Pattern pattern{(p_.ih - y0 + p_.sh - 1) / p_.sh, (p_.iw - x0 + p_.sw - 1) / p_.sw, y0, p_.sh, x0, p_.sw, {}, dgrad_pattern(p_, y0, x0)};
      for (std::int64_t r = 0; r < p_.kh; ++r)
        for (std::int64_t s = 0; s < p_.kw; ++s) {
          const std::int64_t y = y0 + p_.pt - r * p_.dh, x = x0 + p_.pl - s * p_.dw;
          if (y % p_.sh == 0 && x % p_.sw == 0) pattern.taps.push_back({r * p_.kw + s, y / p_.sh, x / p_.sw});
        }
      patterns_.push_back(std::move(pattern));
    }
}

/// Dense: panel[group][columns / 32][tap][depth][32], padded with zeros. Depthwise: [tap][channel].
void Runner::pack_weights(const float* weights, float* packed) const {
  const std::int64_t taps = p_.kh * p_.kw, icg = p_.icg(), ocg = p_.ocg(), filter = taps * icg;
  if (p_.depthwise()) {
#pragma omp parallel for schedule(static)
    for (std::int64_t t = 0; t < taps; ++t)
      for (std::int64_t g = 0; g < p_.g; ++g) packed[t * p_.g + g] = weights[g * taps + t];
    return;
  }
  const std::int64_t panels = panels_of(width_), panel_size = taps * depth_ * panel_columns;
  const bool dgrad = p_.direction == Direction::dgrad;
#pragma omp parallel for collapse(3) schedule(static)
  for (std::int64_t g = 0; g < p_.g; ++g)
    for (std::int64_t panel = 0; panel < panels; ++panel)
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t first = panel * panel_columns, columns = std::min(panel_columns, width_ - first);
        float* out = packed + (g * panels + panel) * panel_size + t * depth_ * panel_columns;
        const float* in = weights + g * ocg * filter + t * icg;
        for (std::int64_t d = 0; d < depth_; ++d, out += panel_columns) {
          if (dgrad)
            std::memcpy(out, in + d * filter + first, static_cast<std::size_t>(columns) * sizeof(float));
          else
            for (std::int64_t j = 0; j < columns; ++j) out[j] = in[(first + j) * filter + d];
          std::fill(out + columns, out + panel_columns, 0.0f);
        }
      }
}

void Runner::gather_dense(const float* in, const float* packed, const float* zeros, float* out) const {
  const std::int64_t panels = panels_of(width_), all_taps = p_.kh * p_.kw, panel_size = all_taps * depth_ * panel_columns;
  for (const auto& pattern : patterns_) {
    const std::int64_t image = pattern.rows * pattern.columns, pixels = p_.mb * image;
    if (pixels == 0) continue;
    // Equal tiles, so that the last one is not a sliver.
    const std::int64_t tiles = (pixels + kernels_.tile_rows - 1) / kernels_.tile_rows, per_tile = (pixels + tiles - 1) / tiles;
    const std::int64_t tasks = (tiles + tiles_per_task - 1) / tiles_per_task;
    const auto taps = static_cast<std::int64_t>(pattern.taps.size());
#pragma omp parallel for collapse(3) schedule(static)
    for (std::int64_t g = 0; g < p_.g; ++g)
      for (std::int64_t task = 0; task < tasks; ++task)
        for (std::int64_t panel = 0; panel < panels; ++panel) {
          const float *rows[most_taps * most_rows], *panel_of_tap[most_taps];
          float* targets[most_rows];
          const std::int64_t first_column = panel * panel_columns;
          const int columns = static_cast<int>(std::min(panel_columns, width_ - first_column));
          for (std::int64_t t = 0; t < taps; ++t)
            panel_of_tap[t] = packed + (g * panels + panel) * panel_size + pattern.taps[t].filter * depth_ * panel_columns;
          const std::int64_t last = std::min(pixels, (task + 1) * tiles_per_task * per_tile);
          for (std::int64_t pixel = task * tiles_per_task * per_tile; pixel < last; pixel += per_tile) {
            const int count = static_cast<int>(std::min(per_tile, last - pixel));
            std::int64_t n = pixel / image, i = pixel % image / pattern.columns, j = pixel % pattern.columns;
            for (int m = 0; m < count; ++m) {
              const float* picture = in + n * in_h_ * in_w_ * in_c_ + g * depth_;
              for (std::int64_t t = 0; t < taps; ++t) {
                const std::int64_t y = i * i_step_ + pattern.taps[t].y, x = j * j_step_ + pattern.taps[t].x;
                const bool inside = y >= 0 && y < in_h_ && x >= 0 && x < in_w_;
                rows[t * count + m] = inside ? picture + (y * in_w_ + x) * in_c_ : zeros;
              }
              const std::int64_t y = pattern.y0 + i * pattern.y_step, x = pattern.x0 + j * pattern.x_step;
              targets[m] = out + ((n * out_h_ + y) * out_w_ + x) * out_c_ + g * width_ + first_column;
              if (++j == pattern.columns) {
                j = 0;
                if (++i == pattern.rows) i = 0, ++n;
              }
            }
            kernels_.tile(count, columns, taps, depth_, rows, panel_of_tap, targets);
          }
        }
  }
}

/// Whether depthwise_row() takes a pattern: a filter row's taps lie next to each other in the input.
bool Runner::lies_in_rows(const TapPattern& taps) const {
  if (taps.tap_columns < 1 || taps.tap_columns > ordered::most_row_taps) return false;
  if (taps.tap_columns == 1) return taps.j_step <= 2;
  return (taps.x_tap == 1 && taps.j_step <= 2) || (taps.x_tap == -1 && taps.j_step == 1);
}

/// A band of rows of a part of the channels is one task: its window over the input then stays in the cache from pixel to pixel
/// and from row to row, and all patterns of a dgrad read it together.
void Runner::gather_rows(const float* in, const float* packed, float* out) const {
  constexpr std::int64_t band_rows = 8;
  std::int64_t most_rows = 0;
  for (const auto& pattern : patterns_) most_rows = std::max(most_rows, pattern.rows);
  const std::int64_t bands = (most_rows + band_rows - 1) / band_rows, parts = (p_.g + depthwise_channels_per_task - 1) / depthwise_channels_per_task;
#pragma omp parallel for collapse(3) schedule(static)
  for (std::int64_t n = 0; n < p_.mb; ++n)
    for (std::int64_t band = 0; band < bands; ++band)
      for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t c = part * depthwise_channels_per_task, channels = std::min(depthwise_channels_per_task, p_.g - c);
        const float *lines[most_taps], *filters[most_taps];
        for (const auto& pattern : patterns_) {
          const TapPattern& taps = pattern.regular;
          for (std::int32_t r = 0; r < taps.tap_rows; ++r) filters[r] = packed + (taps.filter0 + r * taps.filter_row) * p_.g + c;
          for (std::int64_t i = band * band_rows; i < std::min(taps.rows, (band + 1) * band_rows); ++i) {
            for (std::int32_t r = 0; r < taps.tap_rows; ++r) {
              const std::int64_t y = i * taps.i_step + taps.y0 + r * taps.y_tap;
              lines[r] = y >= 0 && y < in_h_ ? in + (n * in_h_ + y) * in_w_ * in_c_ + c : nullptr;
            }
            const ordered::DepthwiseRow row{lines, filters, taps.tap_rows, taps.filter_column * p_.g, in_w_, in_c_, taps.x0, channels, taps.columns,
                                            taps.out_x_step * out_c_,
                                            out + ((n * out_h_ + taps.out_y + i * taps.out_y_step) * out_w_ + taps.out_x) * out_c_ + c};
            kernels_.depthwise_row(row, taps.tap_columns, taps.j_step, taps.tap_columns > 1 ? taps.x_tap : 1);
          }
        }
      }
}

void Runner::gather_depthwise(const float* in, const float* packed, const float* zeros, float* out) const {
  if (std::all_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) { return lies_in_rows(pattern.regular); }))
    return gather_rows(in, packed, out);
  for (const auto& pattern : patterns_) {
    const auto taps = static_cast<std::int64_t>(pattern.taps.size());
#pragma omp parallel for collapse(2) schedule(static)
    for (std::int64_t n = 0; n < p_.mb; ++n)
      for (std::int64_t i = 0; i < pattern.rows; ++i) {
        const float *rows[most_taps * ordered::most_depthwise_pixels], *filters[most_taps];
        float* targets[ordered::most_depthwise_pixels];
        for (std::int64_t t = 0; t < taps; ++t) filters[t] = packed + pattern.taps[t].filter * p_.g;
        float* line = out + (n * out_h_ + pattern.y0 + i * pattern.y_step) * out_w_ * out_c_;
        for (std::int64_t j = 0; j < pattern.columns; j += ordered::most_depthwise_pixels) {
          const auto pixels = std::min<std::int64_t>(ordered::most_depthwise_pixels, pattern.columns - j);
          for (std::int64_t m = 0; m < pixels; ++m) targets[m] = line + (pattern.x0 + (j + m) * pattern.x_step) * out_c_;
          for (std::int64_t t = 0; t < taps; ++t) {
            const std::int64_t y = i * i_step_ + pattern.taps[t].y, x0 = j * j_step_ + pattern.taps[t].x;
            const bool inside = y >= 0 && y < in_h_;
            const float* source = in + (n * in_h_ + y) * in_w_ * in_c_;
            for (std::int64_t m = 0, x = x0; m < pixels; ++m, x += j_step_)
              rows[t * pixels + m] = inside && x >= 0 && x < in_w_ ? source + x * in_c_ : zeros;
          }
          kernels_.depthwise(static_cast<int>(pixels), p_.g, taps, rows, filters, targets);
        }
      }
  }
}

void Runner::sum_pixels_dense(const ordered::PixelSums& sums, float* partials) const {
  const std::int64_t taps = p_.kh * p_.kw, icg = p_.icg(), ocg = p_.ocg(), filter = taps * icg;
  const std::int64_t chunk_rows = wgrad_chunk_rows(p_), chunks = wgrad_chunks(p_), rows = p_.mb * p_.oh();
  const std::int64_t size = element_count(p_.weights_shape());
  // Vectors run along the input channels, or along the output channels where those are more lanes' worth: a stem has 3
  // and 32. Which of the two is faster, not different.
  const bool rows_are_input = icg < panel_columns / 2 && ocg > icg;
  const std::int64_t across = rows_are_input ? ocg : icg, down = rows_are_input ? icg : ocg;
  const std::int64_t panels = panels_of(across), tiles = (down + kernels_.tile_rows - 1) / kernels_.tile_rows;
  const std::int64_t per_tile = (down + tiles - 1) / tiles;
#pragma omp parallel for collapse(4) schedule(static)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
    for (std::int64_t g = 0; g < p_.g; ++g)
      for (std::int64_t t = 0; t < taps; ++t)
        for (std::int64_t panel = 0; panel < panels; ++panel) {
          const std::int64_t first = chunk * chunk_rows, last = std::min(rows, first + chunk_rows);
          const std::int64_t column = panel * panel_columns;
          const int columns = static_cast<int>(std::min(panel_columns, across - column));
          float* target = partials + chunk * size + g * ocg * filter + t * icg;
          for (std::int64_t row = 0; row < down; row += per_tile) {
            const int count = static_cast<int>(std::min(per_tile, down - row));
            const std::int64_t k = rows_are_input ? column : row, c = rows_are_input ? row : column;
            if (!rows_are_input) {
              kernels_.outer(count, columns, sums, false, first, last, t / p_.kw, t % p_.kw, g * ocg + k, g * icg + c,
                             target + k * filter + c, filter);
              continue;
            }
            float block[most_rows * panel_columns];
            kernels_.outer(count, columns, sums, true, first, last, t / p_.kw, t % p_.kw, g * ocg + k, g * icg + c, block,
                           panel_columns);
            for (int m = 0; m < count; ++m)
              for (int j = 0; j < columns; ++j) target[(k + j) * filter + c + m] = block[m * panel_columns + j];
          }
        }
}

void Runner::sum_pixels_depthwise(const ordered::PixelSums& sums, float* partials) const {
  const std::int64_t chunk_rows = wgrad_chunk_rows(p_), chunks = wgrad_chunks(p_), rows = p_.mb * p_.oh();
  const std::int64_t parts = (p_.g + depthwise_channels_per_task - 1) / depthwise_channels_per_task;
#pragma omp parallel for collapse(3) schedule(static)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
    for (std::int64_t part = 0; part < parts; ++part)
      for (std::int64_t r = 0; r < p_.kh; ++r) {
        const std::int64_t c = part * depthwise_channels_per_task, count = std::min(depthwise_channels_per_task, p_.g - c);
        const std::int64_t first = chunk * chunk_rows, last = std::min(rows, first + chunk_rows);
        kernels_.depthwise_sums(count, sums, first, last, r, p_.kw, c, partials + ((chunk * p_.kh + r) * p_.kw) * p_.g + c, p_.g);
      }
}

void Runner::sum_pixels(const float* src, const float* diff_dst, float* out, float* partials) const {
  const ordered::PixelSums sums{diff_dst, src, p_.oh(), p_.ow(), p_.oc, p_.ih, p_.iw, p_.ic, p_.sh, p_.sw, p_.pt, p_.pl, p_.dh, p_.dw};
  const std::int64_t chunks = wgrad_chunks(p_), size = element_count(p_.weights_shape()), taps = p_.kh * p_.kw;
  if (p_.depthwise()) {
    sum_pixels_depthwise(sums, partials);
#pragma omp parallel for schedule(static)
    for (std::int64_t g = 0; g < p_.g; ++g)
      for (std::int64_t t = 0; t < taps; ++t) {
        float sum = partials[t * p_.g + g];
        for (std::int64_t chunk = 1; chunk < chunks; ++chunk) sum += partials[chunk * size + t * p_.g + g];
        out[g * taps + t] = sum;
      }
    return;
  }
  if (chunks == 1) return sum_pixels_dense(sums, out);
  sum_pixels_dense(sums, partials);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < size; ++i) {
    float sum = partials[i];
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk) sum += partials[chunk * size + i];
    out[i] = sum;
  }
}

void Runner::run(const float* first, const float* second, float* out, float* workspace) const {
  if (p_.direction == Direction::wgrad) return sum_pixels(first, second, out, workspace);
  float *packed = workspace, *zeros = workspace + packed_elements(p_);
  std::fill(zeros, zeros + zero_elements(p_), 0.0f);
  pack_weights(second, packed);
  if (p_.depthwise())
    gather_depthwise(first, packed, zeros, out);
  else
    gather_dense(first, packed, zeros, out);
}

}  // namespace fixed_order
}  // namespace detbench
