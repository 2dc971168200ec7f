#include "kernels/reduction/binned_window.hpp"

#include <algorithm>

#include "kernels/reduction/summand_vectors.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

/// Summands that are deposited before the lanes are emptied: few enough for all their lanes together (binned_sum.hpp), with
/// two terms for a product of f64.
constexpr int window = 2048;

template <class Source>
constexpr bool has_two_terms = Source::is_product && !has_wide<Source>;

template <class A, int Bytes>
struct LaneVectors {
  using V = Simd<A, Bytes>;
  using B = Simd<typename FloatFormat<A>::Bits, Bytes>;
  using Vector = typename V::Vector;
  Vector primary[kept_bins];
  typename B::Vector largest = {};

  DETBENCH_INLINE void start() {
#pragma GCC unroll 3
    for (int k = 0; k < kept_bins; ++k) primary[k] = Vector{} + BinGrid<A>::start(k);
  }
  /// BinnedLane::deposit().
  DETBENCH_INLINE void deposit(const Vector& value) {
    Vector rest = value;
#pragma GCC unroll 3
    for (int k = 0; k < kept_bins; ++k) {
      const Vector odd = reinterpret_cast<Vector>(reinterpret_cast<typename B::Vector>(rest) | 1);
      const Vector grown = primary[k] + odd;
      rest -= grown - primary[k];
      primary[k] = grown;
    }
  }
  DETBENCH_INLINE void observe(const Vector& value) {
    const typename B::Vector magnitude =
        reinterpret_cast<typename B::Vector>(value) & (~typename FloatFormat<A>::Bits{0} >> 1);
    largest = magnitude > largest ? magnitude : largest;
  }
};

/// Deposits a window and says what each bin has grown by, and the largest scaled magnitude as bits; where this is
/// scaled_limit or more, an infinity or NaN, the growths mean nothing.
template <class Source, int Bytes>
DETBENCH_INLINE auto window_body(const Source& source, binned_type<Source> scale, binned_type<Source> (&growth)[kept_bins]) {
  using A = binned_type<Source>;
  using V = Simd<A, Bytes>;
  // Independent lanes hide the latency of additions; three primaries each have to fit the registers.
  constexpr int ways = Bytes == 64 ? 4 : 2;
  static_assert(window / (ways * V::width) * (has_two_terms<Source> ? 2 : 1) <= deposits_before_emptying<A>);
  LaneVectors<A, Bytes> lanes[ways];
#pragma GCC unroll 4
  for (auto& lane : lanes) lane.start();
  for (int i = 0; i < window; i += ways * V::width) {
#pragma GCC unroll 4
    for (int w = 0; w < ways; ++w) {
      typename V::Vector value;
      if constexpr (has_two_terms<Source>) {
        typename V::Vector lost;
        load_products<Bytes>(value, lost, source, i + w * V::width);
        lanes[w].deposit(lost * scale);
      } else if constexpr (Source::is_product) {
        load_wide<Bytes>(value, source, i + w * V::width);
      } else {
        load_summands<Bytes>(value, source, i + w * V::width);
      }
      value *= scale;
      lanes[w].observe(value);
      lanes[w].deposit(value);
    }
  }
  auto largest = lanes[0].largest;
  for (int w = 1; w < ways; ++w) largest = lanes[w].largest > largest ? lanes[w].largest : largest;
  typename FloatFormat<A>::Bits top = 0;
  for (int i = 0; i < V::width; ++i) top = std::max<typename FloatFormat<A>::Bits>(top, largest[i]);
#pragma GCC unroll 3
  for (int k = 0; k < kept_bins; ++k) {
    typename V::Vector sum = {};
    for (int w = 0; w < ways; ++w) sum += (lanes[w].primary[k] - BinGrid<A>::start(k)) * BinGrid<A>::units(k);
    growth[k] = 0;
    for (int i = 0; i < V::width; ++i) growth[k] += sum[i];
  }
  return top;
}

template <class Source>
using LargestBits = typename FloatFormat<binned_type<Source>>::Bits;

template <class Source>
LargestBits<Source> window_baseline(const Source& source, binned_type<Source> scale, binned_type<Source> (&growth)[kept_bins]) {
  return window_body<Source, 16>(source, scale, growth);
}
template <class Source>
DETBENCH_TARGET_AVX2 LargestBits<Source> window_avx2(const Source& source, binned_type<Source> scale,
                                                     binned_type<Source> (&growth)[kept_bins]) {
  return window_body<Source, 32>(source, scale, growth);
}
template <class Source>
DETBENCH_TARGET_AVX512 LargestBits<Source> window_avx512(const Source& source, binned_type<Source> scale,
                                                         binned_type<Source> (&growth)[kept_bins]) {
  return window_body<Source, 64>(source, scale, growth);
}

/// Summand i as it is binned; `lost` for products of f64.
template <class Source>
binned_type<Source> binned_summand(const Source& source, std::int64_t i, double& lost) {
  if constexpr (has_two_terms<Source>) {
    const TwoTerms product = product_of(source.x[i], source.y[i]);
    lost = product.low;
    return product.high;
  } else if constexpr (Source::is_product) {
    return source.wide(i);
  } else {
    return source.at(i);
  }
}

}  // namespace

template <class Source>
void BinnedSum<Source>::raise_top(A largest) {
  const int top = top_bin(largest);
  if (top >= top_) return;
  top_ = top;
  scale_ = bin_scale<A>(top);
  mark_top<A>(top, AddToSlot{state_});
}

/// Any summands, specials among them, in one lane.
template <class Source>
void BinnedSum<Source>::add_each(const Source& source, int n) {
  double lost = 0;
  A largest = 0;
  for (int i = 0; i < n; ++i) {
    const A value = binned_summand(source, i, lost), magnitude = value < 0 ? -value : value;
    if (value - value == 0 && magnitude > largest) largest = magnitude;
  }
  raise_top(largest);
  const AddToSlot add{state_};
  for (int first = 0; first < n; first += deposits_before_emptying<A> / 2) {
    BinnedLane<A> lane;
    for (int i = first; i < std::min(n, first + deposits_before_emptying<A> / 2); ++i) {
      const A value = binned_summand(source, i, lost);
      if (value - value == 0) {
        lane.deposit(value * scale_);
        if constexpr (has_two_terms<Source>) lane.deposit(lost * scale_);
      } else {
        count_special(value, add);
      }
      if (bits_of(value) != bits_of(-A(0))) state_[Slots::not_negative_zero_slot] = 1;
    }
    for (int k = 0; k < kept_bins; ++k) add_growth(top_, k, lane.growth(k), add);
  }
}

template <class Source>
void BinnedSum<Source>::add_window(const Source& source, Isa isa) {
  if (top_ == BinGrid<A>::top_bins || state_[Slots::not_negative_zero_slot] == 0) return add_each(source, window);
  A growth[kept_bins];
  const auto largest = isa == Isa::avx512 ? window_avx512(source, scale_, growth)
                       : isa == Isa::avx2 ? window_avx2(source, scale_, growth)
                                          : window_baseline(source, scale_, growth);
  if (largest >= bits_of(scaled_limit<A>)) return add_each(source, window);
  for (int k = 0; k < kept_bins; ++k) add_growth(top_, k, growth[k], AddToSlot{state_});
}

template <class Source>
void BinnedSum<Source>::add(const Source& source, std::int64_t n, Isa isa) {
  std::int64_t first = 0;
  for (; first + window <= n; first += window) add_window(source.from(first), isa);
  add_each(source.from(first), static_cast<int>(n - first));
}

template <class Source>
void BinnedSum<Source>::join_into(std::int64_t* shared) const {
  for (int slot = 0; slot < Slots::slots; ++slot) {
    if (state_[slot] == 0) continue;
#pragma omp atomic
    shared[slot] += state_[slot];
  }
}

#define DETBENCH_BINNED_SUM(Source) template class BinnedSum<Source>;
DETBENCH_FOR_EACH_SOURCE(DETBENCH_BINNED_SUM)

}  // namespace detbench::reduction
