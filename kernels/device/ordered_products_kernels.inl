// The kernels of ordered_products.hpp, written once over a vector type. The including file defines, in an anonymous
// namespace and compiled for its instruction set: V, lanes, tile_rows_here, depthwise_vectors,
// depthwise_pixel_vectors, and zero(), broadcast(x),
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
