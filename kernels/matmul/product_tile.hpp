// What one block of our matrix products does, phase by phase: a thread stages its share of both operands, all wait, a thread
// adds to the sums it owns, all wait. Host and device compile the same functions, so a test can walk a whole grid on the
// CPU and hold its bits against the CPU's own kernels.
//
// A thread owns whole outputs and walks their products in ascending k, alone: no two threads ever share a sum inside a part,
// so neither the tile's size nor the grid can change a bit, and the chain is the one that the CPU's fixed_order walks.
// Products beyond the end of a part are not computed at all: fma(0, 0, acc) would turn a -0, which an underflow can leave,
// into +0.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/stored_types.hpp"

// A loop whose indices must be constants for its arrays to stay in registers; a C++ compiler is left alone.
#ifdef __CUDA_ARCH__
#define DETBENCH_UNROLL _Pragma("unroll")
#else
#define DETBENCH_UNROLL
#endif

namespace detbench::products {

inline constexpr int side = 16;                // a block is side x side threads
inline constexpr int threads = side * side;
inline constexpr int depth = 16;               // products that are staged at a time

/// Parts that k is cut into.
DETBENCH_HOST_DEVICE constexpr std::int64_t parts_of(std::int64_t k, std::int64_t chunk) { return (k + chunk - 1) / chunk; }

struct TileGrid {
  std::int64_t m, n, k, chunk;
  std::int64_t row_tiles, column_tiles;
  DETBENCH_HOST_DEVICE std::int64_t blocks() const { return row_tiles * column_tiles * parts_of(k, chunk); }
};
constexpr TileGrid grid_of(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t chunk, int tile) {
  return {m, n, k, chunk, (m + tile - 1) / tile, (n + tile - 1) / tile};
}

/// One block's outputs [i0, i0 + Tile) x [j0, j0 + Tile) and products [first, last).
struct TilePlace {
  std::int64_t part, i0, j0, first, last;
};
DETBENCH_HOST_DEVICE inline TilePlace place_of(const TileGrid& g, std::int64_t block, int tile_side) {
  const std::int64_t tile = block % (g.row_tiles * g.column_tiles), part = block / (g.row_tiles * g.column_tiles);
  const std::int64_t first = part * g.chunk, last = first + g.chunk < g.k ? first + g.chunk : g.k;
  return {part, tile / g.column_tiles * tile_side, tile % g.column_tiles * tile_side, first, last};
}

/// `Tile` outputs a side; thread y * side + x owns rows y * each + r and columns x + side * c of the tile.
template <int Tile>
struct Block {
  static constexpr int each = Tile / side;
  /// One column more than a tile: neighbours in k, which one warp writes, then lie in different banks.
  using Staged = float[depth][Tile + 1];
  using Sums = float[each][each];

  /// Products [k0, k0 + depth) of the tile's rows of a. Neighbouring threads read neighbouring memory, whichever way the
  /// matrix lies; what lies outside is staged as 0 and never used.
  template <class In, bool Transposed>
  DETBENCH_HOST_DEVICE static void stage_rows(int thread, const TileGrid& g, const TilePlace& p, std::int64_t k0, const typename In::Stored* a,
                                              Staged& rows) {
DETBENCH_UNROLL
    for (int e = thread; e < Tile * depth; e += threads) {
      const int i = Transposed ? e % Tile : e / depth, k = Transposed ? e / Tile : e % depth;
      const bool inside = p.i0 + i < g.m && k0 + k < p.last;
      const std::int64_t at = Transposed ? (k0 + k) * g.m + p.i0 + i : (p.i0 + i) * g.k + k0 + k;
      rows[k][i] = inside ? In::widen(a[at]) : 0.0f;
    }
  }
  /// The same of the tile's columns of b.
  template <class In, bool Transposed>
  DETBENCH_HOST_DEVICE static void stage_columns(int thread, const TileGrid& g, const TilePlace& p, std::int64_t k0, const typename In::Stored* b,
                                                 Staged& columns) {
DETBENCH_UNROLL
    for (int e = thread; e < Tile * depth; e += threads) {
      const int j = Transposed ? e / depth : e % Tile, k = Transposed ? e % depth : e / Tile;
      const bool inside = p.j0 + j < g.n && k0 + k < p.last;
      const std::int64_t at = Transposed ? (p.j0 + j) * g.k + k0 + k : (k0 + k) * g.n + p.j0 + j;
      columns[k][j] = inside ? In::widen(b[at]) : 0.0f;
    }
  }

  DETBENCH_HOST_DEVICE static void add_products(int thread, int k, const Staged& rows, const Staged& columns, Sums& sums) {
    const int x = thread % side, y = thread / side;
    float left[each], right[each];
DETBENCH_UNROLL
    for (int r = 0; r < each; ++r) left[r] = rows[k][y * each + r];
DETBENCH_UNROLL
    for (int c = 0; c < each; ++c) right[c] = columns[k][x + side * c];
DETBENCH_UNROLL
    for (int r = 0; r < each; ++r)
DETBENCH_UNROLL
      for (int c = 0; c < each; ++c) sums[r][c] = fused_multiply_add(left[r], right[c], sums[r][c]);
  }
  /// All staged products that exist, in ascending k.
  DETBENCH_HOST_DEVICE static void add_staged(int thread, const TilePlace& p, std::int64_t k0, const Staged& rows, const Staged& columns, Sums& sums) {
    if (k0 + depth <= p.last) {
DETBENCH_UNROLL
      for (int k = 0; k < depth; ++k) add_products(thread, k, rows, columns, sums);
    } else {
      for (int k = 0; k < static_cast<int>(p.last - k0); ++k) add_products(thread, k, rows, columns, sums);
    }
  }

  /// Calls put(i, j, sum) for every output that the thread owns and the matrix has.
  template <class Put>
  DETBENCH_HOST_DEVICE static void finish(int thread, const TileGrid& g, const TilePlace& p, const Sums& sums, Put&& put) {
    const int x = thread % side, y = thread / side;
DETBENCH_UNROLL
    for (int r = 0; r < each; ++r)
DETBENCH_UNROLL
      for (int c = 0; c < each; ++c) {
        const std::int64_t i = p.i0 + y * each + r, j = p.j0 + x + side * c;
        if (i < g.m && j < g.n) put(i, j, sums[r][c]);
      }
  }
};

/// One output from its parts, in ascending k: the order that a reader would write down, and one that a CPU can follow
/// without knowing the grid. The bias comes last, as in a product that is not split.
template <class Out>
DETBENCH_HOST_DEVICE typename Out::Stored joined_parts(const float* partials, std::int64_t parts, std::int64_t elements, const float* bias,
                                                       std::int64_t element, std::int64_t n) {
  float sum = partials[element];
  for (std::int64_t part = 1; part < parts; ++part) sum += partials[part * elements + element];
  return Out::narrow(bias != nullptr ? sum + bias[element % n] : sum);
}

}  // namespace detbench::products

#undef DETBENCH_UNROLL
