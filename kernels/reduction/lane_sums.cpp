#include "kernels/reduction/lane_sums.hpp"

#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/summand_vectors.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

/// Asks for what comes this many bytes later: hardware prefetchers stop at the end of a page. Harmless beyond the end.
constexpr int bytes_ahead = 4096;
template <class S>
DETBENCH_INLINE void prefetch_row(const S* row) {
  for (int byte = 0; byte < lane_count * static_cast<int>(sizeof(S)); byte += 64)
    __builtin_prefetch(reinterpret_cast<const char*>(row) + bytes_ahead + byte);
}
template <class S>
DETBENCH_INLINE void prefetch_row(const Elements<S>& source, std::int64_t first) {
  prefetch_row(source.x + first);
}
template <class S>
DETBENCH_INLINE void prefetch_row(const Products<S>& source, std::int64_t first) {
  prefetch_row(source.x + first);
  prefetch_row(source.y + first);
}

/// Adds whole rows of 64 summands to as many lanes as `sums` holds, those from the row's summand `first` on.
template <class Source, int Bytes, int Vectors>
DETBENCH_INLINE void add_rows(const Source& source, std::int64_t first, std::int64_t rows,
                              typename Simd<typename Source::Accumulator, Bytes>::Vector (&sums)[Vectors]) {
  using V = Simd<typename Source::Accumulator, Bytes>;
  for (std::int64_t row = 0; row < rows; ++row, first += lane_count) {
    prefetch_row(source, first);
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      typename V::Vector value;
      load_summands<Bytes>(value, source, first + v * V::width);
      sums[v] += value;
    }
  }
}

/// Step 2 with whole vectors while strides span them, then inside the last one: the additions of fold_lanes().
template <class Sum, int Bytes, int Vectors>
DETBENCH_INLINE Sum fold_vectors(typename Simd<Sum, Bytes>::Vector (&sums)[Vectors]) {
  using V = Simd<Sum, Bytes>;
  static_assert(Vectors * V::width == lane_count);
#pragma GCC unroll 4
  for (int half = Vectors / 2; half > 0; half /= 2)
#pragma GCC unroll 4
    for (int v = 0; v < half; ++v) sums[v] += sums[v + half];
  alignas(64) Sum lanes[V::width];
  V::store(lanes, sums[0]);
  for (int stride = V::width / 2; stride > 0; stride /= 2)
    for (int lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
  return lanes[0];
}

template <class Source, int Bytes>
DETBENCH_INLINE typename Source::Accumulator sum_body(const Source& source, std::int64_t n) {
  using Sum = typename Source::Accumulator;
  using V = Simd<Sum, Bytes>;
  // Registers hold at most 8 vectors of sums; a narrow instruction set takes the lanes in several passes over the rows,
  // which a lane cannot notice.
  constexpr int all_vectors = lane_count / V::width, vectors = std::min(8, all_vectors);
  const std::int64_t rows = n / lane_count;
  typename V::Vector sums[vectors];
  if constexpr (vectors == all_vectors) {
    if (n % lane_count == 0) {  // the common case never leaves the registers
#pragma GCC unroll 8
      for (auto& sum : sums) sum = -typename V::Vector{};  // absent_value() in every lane
      add_rows<Source, Bytes>(source, 0, rows, sums);
      return fold_vectors<Sum, Bytes>(sums);
    }
  }
  alignas(64) Sum lanes[lane_count];
  for (int first = 0; first < lane_count; first += vectors * V::width) {
#pragma GCC unroll 8
    for (auto& sum : sums) sum = -typename V::Vector{};
    add_rows<Source, Bytes>(source, first, rows, sums);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) V::store(lanes + first + v * V::width, sums[v]);
  }
  // What is left of the last row; lanes without an element keep their sum, as if -0.0 were added.
  for (std::int64_t i = rows * lane_count; i < n; ++i) lanes[i % lane_count] += source.at(i);
  return fold_lanes(lanes);
}

template <class Source>
typename Source::Accumulator sum_baseline(const Source& source, std::int64_t n) {
  return sum_body<Source, 16>(source, n);
}
template <class Source>
DETBENCH_TARGET_AVX2 typename Source::Accumulator sum_avx2(const Source& source, std::int64_t n) {
  return sum_body<Source, 32>(source, n);
}
template <class Source>
DETBENCH_TARGET_AVX512 typename Source::Accumulator sum_avx512(const Source& source, std::int64_t n) {
  return sum_body<Source, 64>(source, n);
}

}  // namespace

template <class Source>
typename Source::Accumulator lane_sum(const Source& source, std::int64_t n, Isa isa) {
  switch (isa) {
    case Isa::avx512: return sum_avx512(source, n);
    case Isa::avx2: return sum_avx2(source, n);
    default: return sum_baseline(source, n);
  }
}

#define DETBENCH_LANE_SUM(Source) template Source::Accumulator lane_sum<Source>(const Source&, std::int64_t, Isa);
DETBENCH_FOR_EACH_SOURCE(DETBENCH_LANE_SUM)

}  // namespace detbench::reduction
