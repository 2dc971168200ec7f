// What a CUDA thread does for the binned sum (binned_sum.hpp). No CUDA in it, so that tests play warps through on the host with
// the very same code.
#pragma once

#include "kernels/reduction/binned_sum.hpp"
#include "kernels/reduction/cuda_walk.hpp"

namespace detbench::reduction {

/// Sign off, and of a double the upper word: enough to tell exponents, infinities and NaN by.
DETBENCH_HOST_DEVICE inline std::uint32_t magnitude_word(float value) { return bits_of(value) & 0x7FFFFFFFu; }
DETBENCH_HOST_DEVICE inline std::uint32_t magnitude_word(double value) {
  return static_cast<std::uint32_t>(bits_of(value) >> 32) & 0x7FFFFFFFu;
}
template <class A>
DETBENCH_HOST_DEVICE inline A from_magnitude_word(std::uint32_t word) {
  return value_of<A>(static_cast<typename FloatFormat<A>::Bits>(word) << (sizeof(A) * 8 - 32));
}
/// The word of an exponent, biased; those that do not exist become infinity's.
template <class A>
DETBENCH_HOST_DEVICE inline std::uint32_t word_of_exponent(int biased) {
  constexpr int beyond = (1 << FloatFormat<A>::exponent_bits) - 1;
  return static_cast<std::uint32_t>(biased < beyond ? biased : beyond) << (31 - FloatFormat<A>::exponent_bits);
}

/// A thread's lane and what its warp has agreed on.
template <class A>
struct ThreadBins {
  BinnedLane<A> lane;
  int top, deposits = 0;
  A scale;
  std::uint32_t limit;  ///< magnitude words from here on need a larger top bin

  DETBENCH_HOST_DEVICE ThreadBins() { set_top(BinGrid<A>::top_bins - 1); }
  DETBENCH_HOST_DEVICE void set_top(int new_top) {
    top = new_top;
    scale = bin_scale<A>(top);
    limit = word_of_exponent<A>(bin_unit<A>(top) + BinGrid<A>::width - 1 + FloatFormat<A>::bias);
  }
  /// Whether the lanes have to be emptied before so many more deposits, the largest of them with this magnitude word.
  DETBENCH_HOST_DEVICE bool must_be_emptied(std::uint32_t largest, int count) const {
    return largest >= limit || deposits + count > deposits_before_emptying<A>;
  }
  /// After that; the word is of a finite number other than 0.
  DETBENCH_HOST_DEVICE void raise_top(std::uint32_t largest) {
    if (largest >= limit) set_top(top_bin<A>(from_magnitude_word<A>(largest)));
  }
  template <int Count>
  DETBENCH_HOST_DEVICE void deposit(const A (&values)[Count]) {
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < Count; ++i) lane.deposit(values[i] * scale);
    deposits += Count;
  }
};

// Summand k of a four as the lanes take it: one value, or two for products of f64.
template <class Source>
inline constexpr int deposits_per_summand = !has_wide<Source> && Source::is_product ? 2 : 1;
template <class Source, class A>
DETBENCH_HOST_DEVICE inline void binned_values(const StoredFour<Source>& four, int k, A* values) {
  if constexpr (deposits_per_summand<Source> == 2) {
    const TwoTerms product = product_of(four.x[k], four.y[k]);
    values[0] = product.high, values[1] = product.low;
  } else if constexpr (Source::is_product) {
    values[0] = four.template summand<WideLane>(k);
  } else {
    values[0] = four.template summand<PlainLane<A>>(k);
  }
}

/// One value by itself, for batches with an infinity or a NaN.
template <class A, class Add>
DETBENCH_HOST_DEVICE inline void deposit_alone(A value, const Add& add) {
  if (!(value - value == 0)) return count_special<A>(value, add);
  const int top = top_bin<A>(value);
  BinnedLane<A> lane;
  lane.deposit(value * bin_scale<A>(top));
  for (int k = 0; k < kept_bins; ++k) add_growth<A>(top, k, lane.growth(k), add);
  mark_top<A>(top, add);
}

/// Whether a batch of summands with this largest magnitude word is looked at one by one. Infinities and NaNs are counted, and the
/// others deposited each by itself. The word of a double below 2^-1042 is 0 like that of zero: there only the signs of zeros are
/// looked at, and the batch is deposited like any other (2^31 deposits of such a summand by itself would leave a slot).
template <class A>
DETBENCH_HOST_DEVICE inline bool goes_one_by_one(std::uint32_t largest) {
  return largest == 0 || largest >= word_of_exponent<A>(1 << FloatFormat<A>::exponent_bits);
}

}  // namespace detbench::reduction
