// Fixed-order convolutions as tiles of a matrix product: which tile a problem takes, and the launch. Plain header; the
// kernels exist in builds with CUDA only.
#pragma once

#include <cstdint>

#include "kernels/convolution/fixed_order_tile.hpp"
#include "kernels/convolution/fixed_order_work.hpp"
#include "kernels/result.hpp"

namespace detbench::fixed_order {

/// From the largest to the smallest. A thread of a large tile reads less shared memory per product; small tiles waste less
/// where there are few channels and make more blocks where there are few results.
using Tile128x128 = TileShape<128, 128, 8, 8>;
using Tile128x64 = TileShape<128, 64, 8, 4>;
using Tile64x64 = TileShape<64, 64, 4, 4>;
using Tile128x32 = TileShape<128, 32, 4, 4>;
using Tile128x16 = TileShape<128, 16, 4, 4>;
using Tile32x32 = TileShape<32, 32, 4, 2>;
using Tile16x16 = TileShape<16, 16, 2, 1>;
enum class TileKind { t128x128, t128x64, t64x64, t128x32, t128x16, t32x32, t16x16 };

/// The tile that should take least time for `rows` x `columns` results in each of `batches` (groups, chunks, taps): blocks
/// are dealt to the multiprocessors of a large GPU, and a block's step costs its multiply-adds and what it reads for them.
/// Bits do not depend on the choice.
inline TileKind choose_tile(std::int64_t batches, std::int64_t rows, std::int64_t columns) {
  struct Candidate {
    TileKind kind;
    std::int64_t rows, columns, each_row, each_column;
  };
  constexpr Candidate candidates[] = {{TileKind::t128x128, 128, 128, 8, 8}, {TileKind::t128x64, 128, 64, 8, 4}, {TileKind::t64x64, 64, 64, 4, 4},
                                      {TileKind::t128x32, 128, 32, 4, 4},   {TileKind::t128x16, 128, 16, 4, 4}, {TileKind::t32x32, 32, 32, 4, 2},
                                      {TileKind::t16x16, 16, 16, 2, 1}};
  constexpr std::int64_t multiprocessors = 132, lanes = 128, fewest_cycles = 6;
  TileKind best = TileKind::t32x32;
  double least = 0;
  for (const auto& c : candidates) {
    const std::int64_t blocks = batches * ((rows + c.rows - 1) / c.rows) * ((columns + c.columns - 1) / c.columns);
    const std::int64_t threads = c.rows * c.columns / c.each_row / c.each_column;
    // Per link and thread: multiply-adds, 16-byte reads of shared memory at two issue slots each, a share of the staging.
    const double step = static_cast<double>(threads) / lanes *
                        (static_cast<double>(c.each_row * c.each_column) + static_cast<double>(c.each_row + c.each_column) / 2 +
                         static_cast<double>(c.rows + c.columns) / static_cast<double>(threads));
    const double time = static_cast<double>((blocks + multiprocessors - 1) / multiprocessors) * (step > fewest_cycles ? step : fewest_cycles);
    if (least == 0 || time < least) least = time, best = c.kind;
  }
  return best;
}

/// Every pattern of a forward pass or a dgrad; `vectors`: fits_vectors() holds and all pointers are aligned for them.
template <class In>
Status enqueue_gather_tiles(const ConvolutionProblem& problem, const void* in, const void* weights, void* out, bool out_is_f32, bool vectors, void* stream);
/// The parts of all chunks of a weight gradient.
template <class In>
Status enqueue_pixel_tiles(const ConvolutionProblem& problem, const void* src, const void* diff_dst, float* parts, bool vectors, void* stream);

}  // namespace detbench::fixed_order
