// Depthwise convolutions on a GPU, thread by thread, in the order of fixed_order.hpp: a thread owns four neighbouring
// channels of four neighbouring pixels of a row (forward, dgrad), or the taps of one filter row of one channel in one chunk
// (wgrad). Compiled for the host too, where a test walks all threads. Square filters of 3 and 5, strides of 1 and 2, no
// dilation; all tensors canonical.
#pragma once

#include <cstdint>

#include "kernels/convolution/fixed_order_chains.hpp"
#include "kernels/convolution/fixed_order_tile.hpp"

namespace detbench::fixed_order {

/// Whether these kernels exist for a problem's numbers.
inline bool fits_depthwise(const ConvolutionProblem& p) {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 4096;
  return p.depthwise() && p.kh == p.kw && (p.kh == 3 || p.kh == 5) && p.sh == p.sw && (p.sh == 1 || p.sh == 2) && p.dh == 1 && p.dw == 1 &&
         p.mb * p.ih < most && p.mb * p.oh() < most;
}

/// Which columns of the input the pixels w0 .. w0 + 3 of a row meet, w0 a multiple of four. Parity: pl mod 2, which a dgrad
/// of stride 2 has to know to tell which taps meet which pixels.
template <int K_, int Stride_, bool Dgrad_, int Parity = 0>
struct DepthwiseWindow {
  static constexpr int K = K_, stride = Stride_, pixels = 4;
  static constexpr bool dgrad = Dgrad_;
  // Dgrad, stride 2: pixel w0 + p meets tap s at column (w0 + p + pl - s) / 2 where that is whole, which is
  // w0 / 2 + pl / 2 + e / 2 with e = p + Parity - s even.
  static constexpr int lowest_even = Parity - (K - 1) + ((Parity - (K - 1)) & 1), highest_even = pixels - 1 + Parity - ((pixels - 1 + Parity) & 1);
  static constexpr int columns = !dgrad ? (pixels - 1) * stride + K : stride == 1 ? pixels + K - 1 : (highest_even - lowest_even) / 2 + 1;

  /// Place in the window of what tap s of pixel p reads; -1: the tap meets nothing.
  DETBENCH_HOST_DEVICE static constexpr int place(int p, int s) {
    if (!dgrad) return p * stride + s;
    if (stride == 1) return p - s + K - 1;
    const int e = p + Parity - s;
    return (e & 1) != 0 ? -1 : (e - lowest_even) / 2;
  }
  DETBENCH_HOST_DEVICE static constexpr std::int64_t first_column(std::int64_t w0, std::int64_t pl) {
    if (!dgrad) return w0 * stride - pl;
    return stride == 1 ? w0 + pl - (K - 1) : w0 / 2 + pl / 2 + lowest_even / 2;
  }
};

/// Forward and dgrad. A block has the filters of one tile of channels in shared memory, [tap][channel of the tile], and goes
/// through units of four pixels; neighbouring threads have neighbouring channels.
template <class In_, class Window_>
struct DepthwiseGather {
  using In = In_;
  using Window = Window_;
  using Stored = typename In::Stored;
  static constexpr int vector = 4, K = Window::K, threads = 256, most_tile_channels = 128;
  using Filters = float[K * K][most_tile_channels];

  const Stored *in, *weights;
  void* out;
  bool out_is_f32;
  std::int64_t images, channels, in_h, in_w, out_h, out_w, pt, pl;
  std::int64_t tiles, unit_blocks;  ///< of the grid
  std::int32_t tile_groups;         ///< groups of four channels in a tile; the last tile may have fewer

  /// `most_blocks`: blocks that go through all units of a tile of channels; no bit depends on it.
  static DepthwiseGather of(const ConvolutionProblem& p, const void* in, const void* weights, void* out, bool out_is_f32, std::int64_t most_blocks) {
    DepthwiseGather w{static_cast<const Stored*>(in), static_cast<const Stored*>(weights), out, out_is_f32, p.mb, p.g,
                      p.ih, p.iw, p.oh(), p.ow(), p.pt, p.pl, 0, 0, 0};
    if (Window::dgrad) w.in_h = p.oh(), w.in_w = p.ow(), w.out_h = p.ih, w.out_w = p.iw;
    const std::int64_t groups = p.g / vector, most_groups = most_tile_channels / vector;
    w.tiles = (groups + most_groups - 1) / most_groups;
    w.tile_groups = static_cast<std::int32_t>((groups + w.tiles - 1) / w.tiles);
    w.unit_blocks = (w.units() + w.block_units() - 1) / w.block_units();
    if (w.unit_blocks * w.tiles > most_blocks) w.unit_blocks = (most_blocks + w.tiles - 1) / w.tiles;
    return w;
  }
  DETBENCH_HOST_DEVICE std::int64_t row_units() const { return (out_w + Window::pixels - 1) / Window::pixels; }
  DETBENCH_HOST_DEVICE std::int64_t units() const { return images * out_h * row_units(); }
  DETBENCH_HOST_DEVICE std::int64_t block_units() const { return threads / tile_groups; }
  std::int64_t blocks() const { return tiles * unit_blocks; }

  DETBENCH_HOST_DEVICE void stage(std::int64_t block, int thread, Filters& filters) const {
    const std::int64_t first = block % tiles * tile_groups * vector;
    for (int e = thread; e < K * K * tile_groups * vector; e += threads) {
      const int tap = e / (tile_groups * vector), c = e % (tile_groups * vector);
      if (first + c < channels) filters[tap][c] = In::widen(weights[(first + c) * K * K + tap]);
    }
  }

  DETBENCH_HOST_DEVICE void walk(std::int64_t block, int thread, const Filters& filters) const {
    const int c = thread % tile_groups * vector;
    const std::int64_t channel = block % tiles * tile_groups * vector + c, step = unit_blocks * block_units();
    if (thread / tile_groups >= block_units() || channel >= channels) return;
    for (std::int64_t unit = block / tiles * block_units() + thread / tile_groups; unit < units(); unit += step) {
      const std::int64_t row = unit / row_units(), w0 = unit % row_units() * Window::pixels;
      results(row / out_h, row % out_h, w0, channel, &filters[0][c]);
    }
  }

 private:
  DETBENCH_HOST_DEVICE void results(std::int64_t n, std::int64_t h, std::int64_t w0, std::int64_t channel, const float* filters) const {
    float acc[Window::pixels][vector] = {};
    const std::int64_t x0 = Window::first_column(w0, pl);
    // Rows of 5 taps one by one: five windows of eleven columns would not fit the registers.
#ifdef __CUDA_ARCH__
#pragma unroll(K == 3 ? K : 1)
#endif
    for (int r = 0; r < K; ++r) {
      std::int64_t y = h * Window::stride - pt + r;
      if (Window::dgrad) {
        const std::int64_t t = h + pt - r;
        if (Window::stride == 2 && (t & 1) != 0) continue;
        y = Window::stride == 2 ? t / 2 : t;
      }
      const bool row_inside = y >= 0 && y < in_h;
      float line[Window::columns][vector];
      DETBENCH_UNROLL
      for (int j = 0; j < Window::columns; ++j) {
        // What lies in the padding takes part as +0.
        Group<In, vector> group{};
        if (row_inside && x0 + j >= 0 && x0 + j < in_w)
          group = *reinterpret_cast<const Group<In, vector>*>(in + ((n * in_h + y) * in_w + x0 + j) * channels + channel);
        DETBENCH_UNROLL
        for (int v = 0; v < vector; ++v) line[j][v] = In::widen(group.values[v]);
      }
      DETBENCH_UNROLL
      for (int s = 0; s < K; ++s) {
        float filter[vector];
        read_owned<vector, 1>(filters + (r * K + s) * most_tile_channels, 0, filter);
        DETBENCH_UNROLL
        for (int p = 0; p < Window::pixels; ++p) {
          if (Window::place(p, s) < 0) continue;
          DETBENCH_UNROLL
          for (int v = 0; v < vector; ++v) acc[p][v] = fused_multiply_add(line[Window::place(p, s) < 0 ? 0 : Window::place(p, s)][v], filter[v], acc[p][v]);
        }
      }
    }
    DETBENCH_UNROLL
    for (int p = 0; p < Window::pixels; ++p) {
      if (w0 + p >= out_w) break;
      const std::int64_t at = ((n * out_h + h) * out_w + w0 + p) * channels + channel;
      if (out_is_f32) {
        Group<F32, vector> group;
        DETBENCH_UNROLL
        for (int v = 0; v < vector; ++v) group.values[v] = acc[p][v];
        *reinterpret_cast<Group<F32, vector>*>(static_cast<float*>(out) + at) = group;
      } else {
        Group<In, vector> group;
        DETBENCH_UNROLL
        for (int v = 0; v < vector; ++v) group.values[v] = In::narrow(acc[p][v]);
        *reinterpret_cast<Group<In, vector>*>(static_cast<Stored*>(out) + at) = group;
      }
    }
  }
};

/// Wgrad: index (chunk, filter row, channel), channel fastest, so that neighbouring threads read neighbouring memory. Calls
/// put(place in diff_weights, chunk, sum) for each tap of the row.
template <class In_, int K, int Stride>
struct DepthwiseSums {
  using In = In_;
  using Stored = typename In::Stored;
  static constexpr int piece_pixels = 8, columns = (piece_pixels - 1) * Stride + K;

  ChainShape p;
  const Stored *src, *diff_dst;

  static DepthwiseSums of(const ConvolutionProblem& problem, const void* src, const void* diff_dst) {
    return {ChainShape::of(problem), static_cast<const Stored*>(src), static_cast<const Stored*>(diff_dst)};
  }
  DETBENCH_HOST_DEVICE std::int64_t size() const { return p.chunks * K * p.g; }

  template <class Put>
  DETBENCH_HOST_DEVICE void walk(std::int64_t index, const Put& put) const {
    const std::int64_t c = index % p.g, r = index / p.g % K, chunk = index / p.g / K;
    const std::int64_t rows = p.mb * p.oh, first = chunk * p.chunk_rows, last = first + p.chunk_rows < rows ? first + p.chunk_rows : rows;
    float acc[K] = {};
    Place at{first, first / p.oh, first % p.oh, 0};
    skip_rows(at, r, last);
    if (at.row < last) {
      Piece piece = load(at, r, c);
      while (true) {
        // The next piece is on its way while this one is added.
        const std::int64_t x0 = at.x0;
        advance(at, r, last);
        const bool more = at.row < last;
        Piece next;
        if (more) next = load(at, r, c);
        add(piece, x0, acc);
        if (!more) break;
        piece = next;
      }
    }
    DETBENCH_UNROLL
    for (int s = 0; s < K; ++s) put((c * K + r) * K + s, chunk, acc[s]);
  }

 private:
  /// A piece begins at output column x0 of an output row.
  struct Place {
    std::int64_t row, n, y, x0;
  };
  struct Piece {
    float diff[piece_pixels];
    float line[columns];
  };
  /// On to the first output row whose input row lies in the image; what lies in the padding is left out.
  DETBENCH_HOST_DEVICE void skip_rows(Place& at, std::int64_t r, std::int64_t last) const {
    while (at.row < last) {
      const std::int64_t h = at.y * Stride - p.pt + r;
      if (h >= 0 && h < p.ih) return;
      next_row(at);
    }
  }
  DETBENCH_HOST_DEVICE void next_row(Place& at) const {
    ++at.row;
    if (++at.y == p.oh) at.y = 0, ++at.n;
  }
  DETBENCH_HOST_DEVICE void advance(Place& at, std::int64_t r, std::int64_t last) const {
    at.x0 += piece_pixels;
    if (at.x0 < p.ow) return;
    at.x0 = 0;
    next_row(at);
    skip_rows(at, r, last);
  }
  DETBENCH_HOST_DEVICE Piece load(const Place& at, std::int64_t r, std::int64_t c) const {
    Piece piece;
    const Stored* diff = diff_dst + (at.row * p.ow + at.x0) * p.oc + c;
    DETBENCH_UNROLL
    for (int i = 0; i < piece_pixels; ++i) piece.diff[i] = at.x0 + i < p.ow ? In::widen(diff[i * p.oc]) : 0.0f;
    const std::int64_t w0 = at.x0 * Stride - p.pl;
    const Stored* line = src + (at.n * p.ih + at.y * Stride - p.pt + r) * p.iw * p.ic + c;
    DETBENCH_UNROLL
    for (int j = 0; j < columns; ++j) piece.line[j] = w0 + j >= 0 && w0 + j < p.iw ? In::widen(line[(w0 + j) * p.ic]) : 0.0f;
    return piece;
  }
  DETBENCH_HOST_DEVICE void add(const Piece& piece, std::int64_t x0, float (&acc)[K]) const {
    const std::int64_t w0 = x0 * Stride - p.pl;
    if (x0 + piece_pixels <= p.ow && w0 >= 0 && w0 + columns <= p.iw) {
      DETBENCH_UNROLL
      for (int i = 0; i < piece_pixels; ++i)
        DETBENCH_UNROLL
        for (int s = 0; s < K; ++s) acc[s] = fused_multiply_add(piece.diff[i], piece.line[i * Stride + s], acc[s]);
      return;
    }
    DETBENCH_UNROLL
    for (int i = 0; i < piece_pixels; ++i)
      DETBENCH_UNROLL
      for (int s = 0; s < K; ++s) {
        const std::int64_t w = w0 + i * Stride + s;
        if (x0 + i < p.ow && w >= 0 && w < p.iw) acc[s] = fused_multiply_add(piece.diff[i], piece.line[i * Stride + s], acc[s]);
      }
  }
};

}  // namespace detbench::fixed_order
