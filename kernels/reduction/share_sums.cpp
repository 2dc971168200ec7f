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
DETBENCH_INLINE void tile_body(const Source& source, std::int64_t n, std::int64_t first, typename Source::Accumulator* lanes) {
  for (int lane = 0; lane < tile_lanes; ++lane) lanes[lane] = absent_value<typename Source::Accumulator>();
  // Four rows at a time keep a lane in its register over four additions.
  const std::int64_t rows = n / share_lanes;
  std::int64_t row = 0;
  for (; row + 4 <= rows; row += 4) add_rows<4, Bytes>(source.from(row * share_lanes + first), tile_lanes, lanes);
  for (; row < rows; ++row) add_rows<1, Bytes>(source.from(row * share_lanes + first), tile_lanes, lanes);
  const std::int64_t left = n - rows * share_lanes - first;
  if (left > 0)
    add_rows<1, Bytes>(source.from(rows * share_lanes + first), static_cast<int>(left < tile_lanes ? left : tile_lanes), lanes);
}

template <class Source>
void tile_baseline(const Source& source, std::int64_t n, std::int64_t first, typename Source::Accumulator* lanes) {
  tile_body<Source, 16>(source, n, first, lanes);
}
template <class Source>
DETBENCH_TARGET_AVX2 void tile_avx2(const Source& source, std::int64_t n, std::int64_t first,
                                    typename Source::Accumulator* lanes) {
  tile_body<Source, 32>(source, n, first, lanes);
}
template <class Source>
DETBENCH_TARGET_AVX512 void tile_avx512(const Source& source, std::int64_t n, std::int64_t first,
                                        typename Source::Accumulator* lanes) {
  tile_body<Source, 64>(source, n, first, lanes);
}

}  // namespace

template <class Source>
void sum_tile_lanes(const Source& source, std::int64_t n, std::int64_t first, typename Source::Accumulator* lanes, Isa isa) {
  switch (isa) {
    case Isa::avx512: return tile_avx512(source, n, first, lanes);
    case Isa::avx2: return tile_avx2(source, n, first, lanes);
    default: return tile_baseline(source, n, first, lanes);
  }
}

#define DETBENCH_TILE(Source) \
  template void sum_tile_lanes<Source>(const Source&, std::int64_t, std::int64_t, Source::Accumulator*, Isa);
DETBENCH_FOR_EACH_SOURCE(DETBENCH_TILE)

}  // namespace detbench::reduction
