// The kernels of ordered_products.hpp, written once over a vector type. The including file defines, in an anonymous
// namespace and compiled for its instruction set: V, lanes, tile_rows_here, depthwise_vectors,
// depthwise_pixel_vectors, row_in_blocks_here, row_vectors_here,
// and zero(), broadcast(x),
// load(p), load_some(p, n), store(p, v), store_some(p, v, n), fma(a, b, c).

constexpr int panel_vectors = static_cast<int>(panel_columns) / lanes;
static_assert(tile_rows_here <= most_tile_rows);

/// Rows and vectors are template parameters so that the accumulators live in registers.
template <int Rows, int Vectors>
void tile_of(int columns, std::int64_t taps, std::int64_t depth, const float* const* a, const float* const* panels,
             float* const* out) {
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) acc[m][v] = zero();
  for (std::int64_t t = 0; t < taps; ++t) {
    const float* row[Rows];
#pragma GCC unroll 16
    for (int m = 0; m < Rows; ++m) row[m] = a[t * Rows + m];
    const float* panel = panels[t];
    for (std::int64_t c = 0; c < depth; ++c, panel += panel_columns) {
      V b[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) b[v] = load(panel + v * lanes);
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) {
        const V x = broadcast(row[m][c]);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) acc[m][v] = fma(x, b[v], acc[m][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) store_some(out[m] + v * lanes, acc[m][v], columns - v * lanes);
}

template <int Rows, int Vectors>
void outer_of(int columns, const PixelSums& sums, bool rows_are_input, std::int64_t first, std::int64_t last,
              std::int64_t r, std::int64_t s, std::int64_t k0, std::int64_t c0, float* out, std::int64_t out_stride) {
  V acc[Rows][Vectors];
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) acc[m][v] = zero();
  std::int64_t x_first, x_last;
  sums.inside(s, x_first, x_last);
  const std::int64_t column = x_first * sums.stride_w - sums.pad_left + s * sums.dilation_w;
  const std::int64_t step_d = sums.k, step_i = sums.stride_w * sums.c;
  const std::int64_t step_a = rows_are_input ? step_i : step_d, step_b = rows_are_input ? step_d : step_i;
  for (std::int64_t line = first; line < last; ++line) {
    const std::int64_t n = line / sums.p, y = sums.input_row(line % sums.p, r);
    if (y < 0 || y >= sums.h) continue;
    const float* d = sums.diff_dst + (line * sums.q + x_first) * sums.k + k0;
    const float* i = sums.src + ((n * sums.h + y) * sums.w + column) * sums.c + c0;
    const float *a = rows_are_input ? i : d, *b = rows_are_input ? d : i;
    for (std::int64_t x = x_first; x < x_last; ++x, a += step_a, b += step_b) {
      V bv[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v)
        bv[v] = v + 1 < Vectors ? load(b + v * lanes) : load_some(b + v * lanes, columns - v * lanes);
#pragma GCC unroll 16
      for (int m = 0; m < Rows; ++m) {
        const V one = broadcast(a[m]);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) acc[m][v] = fma(one, bv[v], acc[m][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) store_some(out + m * out_stride + v * lanes, acc[m][v], columns - v * lanes);
}

/// Several pixels at once, so that a filter is loaded once for all of them.
template <int Pixels, int Vectors, bool Whole>
void depthwise_block(std::int64_t c, std::int64_t count, std::int64_t taps, const float* const* rows,
                     const float* const* filters, float* const* out) {
  V acc[Pixels][Vectors];
  const auto read = [&](const float* p) { return Whole ? load(p) : load_some(p, static_cast<int>(count)); };
#pragma GCC unroll 8
  for (int m = 0; m < Pixels; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) acc[m][v] = zero();
  for (std::int64_t t = 0; t < taps; ++t, rows += Pixels) {
    V filter[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) filter[v] = read(filters[t] + c + v * lanes);
#pragma GCC unroll 8
    for (int m = 0; m < Pixels; ++m)
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) acc[m][v] = fma(read(rows[m] + c + v * lanes), filter[v], acc[m][v]);
  }
#pragma GCC unroll 8
  for (int m = 0; m < Pixels; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v)
      Whole ? store(out[m] + c + v * lanes, acc[m][v]) : store_some(out[m] + c, acc[m][v], static_cast<int>(count));
}

template <int Pixels>
void depthwise_pixels(std::int64_t channels, std::int64_t taps, const float* const* rows, const float* const* filters,
                      float* const* out) {
  constexpr int vectors = depthwise_pixel_vectors;
  std::int64_t c = 0;
  for (; c + vectors * lanes <= channels; c += vectors * lanes)
    depthwise_block<Pixels, vectors, true>(c, vectors * lanes, taps, rows, filters, out);
  for (; c + lanes <= channels; c += lanes) depthwise_block<Pixels, 1, true>(c, lanes, taps, rows, filters, out);
  if (c < channels) depthwise_block<Pixels, 1, false>(c, channels - c, taps, rows, filters, out);
}

void depthwise(int pixels, std::int64_t channels, std::int64_t taps, const float* const* rows, const float* const* filters,
               float* const* out) {
  switch (pixels) {
    case 1: return depthwise_pixels<1>(channels, taps, rows, filters, out);
    case 2: return depthwise_pixels<2>(channels, taps, rows, filters, out);
    case 3: return depthwise_pixels<3>(channels, taps, rows, filters, out);
    default: return depthwise_pixels<4>(channels, taps, rows, filters, out);
  }
}

/// Results j .. j + Pixels - 1 of `Vectors` vectors of channels, at most `count` channels. An input pixel is loaded once and
/// meets every result that it belongs to: it is the columns that are walked, in the direction in which each result's taps
/// ascend.
template <int Pixels, int Vectors, int Taps, int Step, int Direction>
void depthwise_row_block(const DepthwiseRow& row, std::int64_t j, std::int64_t c, int count) {
  constexpr int columns = (Pixels - 1) * Step + Taps;
  V acc[Pixels][Vectors];
  const auto read = [&](const float* p, int v) { return v + 1 < Vectors ? load(p + v * lanes) : load_some(p + v * lanes, count - v * lanes); };
#pragma GCC unroll 8
  for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) acc[p][v] = zero();
  // Direction -1: tap 0 of result j reads the last column of the window.
  const std::int64_t x0 = row.first + j * Step - (Direction < 0 ? Taps - 1 : 0);
  for (std::int64_t r = 0; r < row.filter_rows; ++r) {
    const float* line = row.lines[r];
    const auto width = static_cast<std::uint64_t>(line != nullptr ? row.columns : 0);
    V filter[Taps][Vectors];
#pragma GCC unroll 5
    for (int s = 0; s < Taps; ++s)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) filter[s][v] = read(row.filters[r] + s * row.filter_step + c, v);
#pragma GCC unroll 32
    for (int i = 0; i < columns; ++i) {
      const int q = Direction < 0 ? columns - 1 - i : i;
      V value[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v)
        value[v] = static_cast<std::uint64_t>(x0 + q) < width ? read(line + (x0 + q) * row.pixel + c, v) : zero();
#pragma GCC unroll 5
      for (int s = 0; s < Taps; ++s) {
        const int at = Direction < 0 ? q - (Taps - 1 - s) : q - s;
        if (at < 0 || at % Step != 0 || at / Step >= Pixels) continue;
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) acc[at / Step][v] = fma(value[v], filter[s][v], acc[at / Step][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) store_some(row.out + (j + p) * row.out_step + c + v * lanes, acc[p][v], count - v * lanes);
}

template <int Pixels, int Vectors, int Taps, int Step, int Direction>
std::int64_t depthwise_row_blocks(const DepthwiseRow& row, std::int64_t j) {
  for (; j + Pixels <= row.results; j += Pixels) {
    std::int64_t c = 0;
    for (; c + Vectors * lanes <= row.channels; c += Vectors * lanes)
      depthwise_row_block<Pixels, Vectors, Taps, Step, Direction>(row, j, c, Vectors * lanes);
    for (; c < row.channels; c += lanes)
      depthwise_row_block<Pixels, 1, Taps, Step, Direction>(row, j, c, static_cast<int>(row.channels - c < lanes ? row.channels - c : lanes));
  }
  return j;
}

template <int Taps, int Step, int Direction>
void depthwise_row_of(const DepthwiseRow& row) {
  // About eight accumulators are under way whatever is left of a row.
  std::int64_t j = depthwise_row_blocks<8, 1, Taps, Step, Direction>(row, 0);
  j = depthwise_row_blocks<4, 2, Taps, Step, Direction>(row, j);
  j = depthwise_row_blocks<2, row_vectors_here, Taps, Step, Direction>(row, j);
  depthwise_row_blocks<1, row_vectors_here, Taps, Step, Direction>(row, j);
}

template <int Step, int Direction>
void depthwise_row_taps(const DepthwiseRow& row, int taps) {
  switch (taps) {
    case 1: return depthwise_row_of<1, Step, Direction>(row);
    case 2: return depthwise_row_of<2, Step, Direction>(row);
    case 3: return depthwise_row_of<3, Step, Direction>(row);
    case 4: return depthwise_row_of<4, Step, Direction>(row);
    default: return depthwise_row_of<5, Step, Direction>(row);
  }
}

/// Without wide registers blocks gain nothing: a vector of results after the other.
template <bool InBlocks>
void depthwise_row_by(const DepthwiseRow& row, int taps, int step, int direction) {
  if constexpr (InBlocks) {
    if (direction < 0) return depthwise_row_taps<1, -1>(row, taps);
    step == 1 ? depthwise_row_taps<1, 1>(row, taps) : depthwise_row_taps<2, 1>(row, taps);
  } else {
    for (std::int64_t j = 0; j < row.results; ++j)
      for (std::int64_t c = 0; c < row.channels; c += lanes) {
        const int count = static_cast<int>(row.channels - c < lanes ? row.channels - c : lanes);
        V acc = zero();
        for (std::int64_t r = 0; r < row.filter_rows; ++r)
          for (int s = 0; s < taps; ++s) {
            const std::int64_t x = row.first + j * step + s * direction;
            const bool inside = row.lines[r] != nullptr && x >= 0 && x < row.columns;
            acc = fma(inside ? load_some(row.lines[r] + x * row.pixel + c, count) : zero(), load_some(row.filters[r] + s * row.filter_step + c, count), acc);
          }
        store_some(row.out + j * row.out_step + c, acc, count);
      }
  }
}

void depthwise_row(const DepthwiseRow& row, int taps, int step, int direction) { depthwise_row_by<row_in_blocks_here>(row, taps, step, direction); }

/// Taps s0 .. s0 + Taps - 1 of one filter row at once; each has a chain of its own, in ascending pixels.
template <int Taps, int Vectors, bool Whole>
void depthwise_sums_block(std::int64_t count, const PixelSums& sums, std::int64_t first, std::int64_t last, std::int64_t r,
                          std::int64_t s0, std::int64_t c0, float* out, std::int64_t out_stride) {
  V acc[Taps][Vectors];
  std::int64_t x_first[Taps], x_last[Taps], common_first = 0, common_last = sums.q;
  const auto read = [&](const float* p) { return Whole ? load(p) : load_some(p, static_cast<int>(count)); };
#pragma GCC unroll 8
  for (int s = 0; s < Taps; ++s) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) acc[s][v] = zero();
    sums.inside(s0 + s, x_first[s], x_last[s]);
    if (x_first[s] > common_first) common_first = x_first[s];
    if (x_last[s] < common_last) common_last = x_last[s];
  }
  if (common_last < common_first) common_last = common_first;
  const std::int64_t column = s0 * sums.dilation_w - sums.pad_left, step = sums.dilation_w * sums.c;
  for (std::int64_t line = first; line < last; ++line) {
    const std::int64_t n = line / sums.p, y = sums.input_row(line % sums.p, r);
    if (y < 0 || y >= sums.h) continue;
    const float* a = sums.diff_dst + line * sums.q * sums.k + c0;
    const float* b = sums.src + (n * sums.h + y) * sums.w * sums.c + c0;
    const auto at_border = [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t x = from; x < to; ++x)
#pragma GCC unroll 8
        for (int s = 0; s < Taps; ++s)
          if (x >= x_first[s] && x < x_last[s])
#pragma GCC unroll 8
            for (int v = 0; v < Vectors; ++v)
              acc[s][v] = fma(read(a + x * sums.k + v * lanes),
                              read(b + (x * sums.stride_w + column) * sums.c + s * step + v * lanes), acc[s][v]);
    };
    at_border(0, common_first < sums.q ? common_first : sums.q);
    const float* d = a + common_first * sums.k;
    const float* i = b + (common_first * sums.stride_w + column) * sums.c;
    for (std::int64_t x = common_first; x < common_last; ++x, d += sums.k, i += sums.stride_w * sums.c) {
      V dv[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) dv[v] = read(d + v * lanes);
#pragma GCC unroll 8
      for (int s = 0; s < Taps; ++s)
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) acc[s][v] = fma(dv[v], read(i + s * step + v * lanes), acc[s][v]);
    }
    at_border(common_last, sums.q);
  }
  for (int s = 0; s < Taps; ++s)
    for (int v = 0; v < Vectors; ++v)
      Whole ? store(out + s * out_stride + v * lanes, acc[s][v]) : store_some(out + s * out_stride, acc[s][v], static_cast<int>(count));
}

template <int Taps>
void depthwise_sums_taps(std::int64_t channels, const PixelSums& sums, std::int64_t first, std::int64_t last, std::int64_t r,
                         std::int64_t s0, std::int64_t c0, float* out, std::int64_t out_stride) {
  constexpr int vectors = depthwise_vectors;
  std::int64_t c = 0;
  for (; c + vectors * lanes <= channels; c += vectors * lanes)
    depthwise_sums_block<Taps, vectors, true>(vectors * lanes, sums, first, last, r, s0, c0 + c, out + c, out_stride);
  // One vector's few chains would leave most of each addition's latency open.
  if constexpr (vectors > 2)
    for (; c + 2 * lanes <= channels; c += 2 * lanes)
      depthwise_sums_block<Taps, 2, true>(2 * lanes, sums, first, last, r, s0, c0 + c, out + c, out_stride);
  for (; c + lanes <= channels; c += lanes)
    depthwise_sums_block<Taps, 1, true>(lanes, sums, first, last, r, s0, c0 + c, out + c, out_stride);
  if (c < channels)
    depthwise_sums_block<Taps, 1, false>(channels - c, sums, first, last, r, s0, c0 + c, out + c, out_stride);
}

void depthwise_sums(std::int64_t channels, const PixelSums& sums, std::int64_t first, std::int64_t last, std::int64_t r,
                    std::int64_t taps_w, std::int64_t c0, float* out, std::int64_t out_stride) {
  for (std::int64_t s = 0; s < taps_w;) {
    const auto call = [&](auto function, std::int64_t taps) {
      function(channels, sums, first, last, r, s, c0, out + s * out_stride, out_stride);
      s += taps;
    };
    switch (taps_w - s) {
      case 1: call(depthwise_sums_taps<1>, 1); break;
      case 2: call(depthwise_sums_taps<2>, 2); break;
      case 3: call(depthwise_sums_taps<3>, 3); break;
      case 4: call(depthwise_sums_taps<4>, 4); break;
      default: call(depthwise_sums_taps<5>, 5); break;
    }
  }
}

using TileFunction = void (*)(int, std::int64_t, std::int64_t, const float* const*, const float* const*, float* const*);
using OuterFunction = void (*)(int, const PixelSums&, bool, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                               std::int64_t, float*, std::int64_t);

template <int... Index>
void tile_dispatch(std::integer_sequence<int, Index...>, int rows, int vectors, int columns, std::int64_t taps,
                   std::int64_t depth, const float* const* a, const float* const* panels, float* const* out) {
  static constexpr TileFunction table[] = {tile_of<Index / panel_vectors + 1, Index % panel_vectors + 1>...};
  table[(rows - 1) * panel_vectors + vectors - 1](columns, taps, depth, a, panels, out);
}

template <int... Index>
void outer_dispatch(std::integer_sequence<int, Index...>, int rows, int vectors, int columns, const PixelSums& sums,
                    bool rows_are_input, std::int64_t first, std::int64_t last, std::int64_t r, std::int64_t s, std::int64_t k0, std::int64_t c0,
                    float* out, std::int64_t out_stride) {
  static constexpr OuterFunction table[] = {outer_of<Index / panel_vectors + 1, Index % panel_vectors + 1>...};
  table[(rows - 1) * panel_vectors + vectors - 1](columns, sums, rows_are_input, first, last, r, s, k0, c0, out, out_stride);
}

using Shapes = std::make_integer_sequence<int, tile_rows_here * panel_vectors>;

void tile(int rows, int columns, std::int64_t taps, std::int64_t depth, const float* const* a, const float* const* panels,
          float* const* out) {
  tile_dispatch(Shapes{}, rows, (columns + lanes - 1) / lanes, columns, taps, depth, a, panels, out);
}

void outer(int rows, int columns, const PixelSums& sums, bool rows_are_input, std::int64_t first, std::int64_t last,
           std::int64_t r, std::int64_t s, std::int64_t k0, std::int64_t c0, float* out, std::int64_t out_stride) {
  outer_dispatch(Shapes{}, rows, (columns + lanes - 1) / lanes, columns, sums, rows_are_input, first, last, r, s, k0, c0, out,
                 out_stride);
}
