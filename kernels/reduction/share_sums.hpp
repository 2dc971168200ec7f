// The lanes of grid_shares.hpp on a CPU, vectorized: as many neighbouring lanes at a time as the first-level cache holds,
// down all rows of the vector.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/reduction/grid_shares.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// Blocks whose lanes are summed together: 16 KiB of f32 sums, 32 of f64, and each row gives as many bytes in a run.
inline constexpr int blocks_per_tile = 4;
inline constexpr int tile_lanes = blocks_per_tile * share_block_lanes;
constexpr int share_tile_count(std::int64_t n) { return (occupied_share_blocks(n) + blocks_per_tile - 1) / blocks_per_tile; }

/// Step 1 for the lanes first .. first + tile_lanes - 1 of n summands.
template <class Source>
void sum_tile_lanes(const Source& source, std::int64_t n, std::int64_t first, typename Source::Accumulator* lanes, Isa isa);

/// Steps 1 to 3 for one tile: its blocks' partials.
template <class Source>
void sum_tile(const SumCall<Source>& call, int tile, typename Source::Accumulator* partials) {
  alignas(64) typename Source::Accumulator lanes[tile_lanes];
  sum_tile_lanes(call.source, call.n, std::int64_t{tile} * tile_lanes, lanes, call.isa);
  for (int block = 0; block < blocks_per_tile; ++block)
    partials[tile * blocks_per_tile + block] = fold_share_block(lanes + block * share_block_lanes);
}

/// Step 4; uses the partials up.
template <class A>
A join_share_partials(A* partials, std::int64_t n) {
  std::fill(partials + occupied_share_blocks(n), partials + share_blocks, absent_value<A>());
  return fold_share_block(partials);
}

}  // namespace detbench::reduction
