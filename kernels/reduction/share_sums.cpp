#include "kernels/reduction/share_sums.hpp"

#include "kernels/reduction/summand_vectors.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

/// Adds summand i of `Rows` rows to lane i of the tile; a row is share_lanes summands after the one before.
template <int Rows, int Bytes, class Source>
DETBENCH_INLINE void add_rows(const Source& source, int lanes_present, typename Source::Accumulator* lanes) {
  using V = Simd<typename Source::Accumulator, Bytes>;
  int lane = 0;
  for (; lane + V::width <= lanes_present; lane += V::width) {
    typename V::Vector sum;
    V::load(sum, lanes + lane);
#pragma GCC unroll 4
    for (int row = 0; row < Rows; ++row) {
      typename V::Vector value;
      load_summands<Bytes>(value, source, row * share_lanes + lane);
      sum += value;
    }
    V::store(lanes + lane, sum);
  }
  for (; lane < lanes_present; ++lane)
    for (int row = 0; row < Rows; ++row) lanes[lane] += source.at(row * share_lanes + lane);
}

template <class Source, int Bytes>
DETBENCH_INLINE void tile_body(const Source& source, std::int64_t n, int tile, typename Source::Accumulator* partials) {
  using A = typename Source::Accumulator;
  alignas(64) A lanes[tile_lanes];
  for (int lane = 0; lane < tile_lanes; ++lane) lanes[lane] = absent_value<A>();
  // Four rows at a time keep a lane in its register over four additions.
  const std::int64_t first = std::int64_t{tile} * tile_lanes, rows = n / share_lanes;
  std::int64_t row = 0;
  for (; row + 4 <= rows; row += 4) add_rows<4, Bytes>(source.from(row * share_lanes + first), tile_lanes, lanes);
  for (; row < rows; ++row) add_rows<1, Bytes>(source.from(row * share_lanes + first), tile_lanes, lanes);
  const std::int64_t left = n - rows * share_lanes - first;
  if (left > 0)
    add_rows<1, Bytes>(source.from(rows * share_lanes + first), static_cast<int>(left < tile_lanes ? left : tile_lanes), lanes);
  for (int block = 0; block < blocks_per_tile; ++block)
    partials[tile * blocks_per_tile + block] = fold_share_block(lanes + block * share_block_lanes);
}

// `flatten`: fold_share_block() too is compiled for the instruction set.
template <class Source>
void tile_baseline(const Source& source, std::int64_t n, int tile, typename Source::Accumulator* partials) {
  tile_body<Source, 16>(source, n, tile, partials);
}
template <class Source>
[[gnu::flatten]] DETBENCH_TARGET_AVX2 void tile_avx2(const Source& source, std::int64_t n, int tile,
                                                     typename Source::Accumulator* partials) {
  tile_body<Source, 32>(source, n, tile, partials);
}
template <class Source>
[[gnu::flatten]] DETBENCH_TARGET_AVX512 void tile_avx512(const Source& source, std::int64_t n, int tile,
                                                         typename Source::Accumulator* partials) {
  tile_body<Source, 64>(source, n, tile, partials);
}

}  // namespace

template <class Source>
void sum_tile(const Source& source, std::int64_t n, int tile, typename Source::Accumulator* partials, Isa isa) {
  switch (isa) {
    case Isa::avx512: return tile_avx512(source, n, tile, partials);
    case Isa::avx2: return tile_avx2(source, n, tile, partials);
    default: return tile_baseline(source, n, tile, partials);
  }
}

#define DETBENCH_TILE(Source) template void sum_tile<Source>(const Source&, std::int64_t, int, Source::Accumulator*, Isa);
DETBENCH_FOR_EACH_SOURCE(DETBENCH_TILE)

}  // namespace detbench::reduction
