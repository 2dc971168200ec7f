// The lanes of grid_shares.hpp on a CPU, vectorized: as many neighbouring lanes at a time as the first-level cache holds,
// down all rows of the vector.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/reduction/grid_shares.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/summands.hpp"

namespace detbench::reduction {

/// Blocks whose lanes are summed together: 16 KiB of f32 sums, 32 of f64, and each row gives as many bytes in a run.
inline constexpr int blocks_per_tile = 4;
inline constexpr int tile_lanes = blocks_per_tile * share_block_lanes;
constexpr int share_tile_count(std::int64_t n) { return (occupied_share_blocks(n) + blocks_per_tile - 1) / blocks_per_tile; }

/// Steps 1 to 3 for the blocks of one tile of n summands: their partials, each in its place.
template <class Source>
void sum_tile(const Source& source, std::int64_t n, int tile, typename Source::Accumulator* partials, Isa isa);

/// Step 4, after the partials of all tiles.
template <class A>
A join_share_partials(A* partials, std::int64_t n) {
  std::fill(partials + occupied_share_blocks(n), partials + share_blocks, absent_value<A>());
  return fold_share_block(partials);
}

}  // namespace detbench::reduction
