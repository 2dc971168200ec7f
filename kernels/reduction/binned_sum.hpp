// The reproducible binned sum of Demmel, Ahrens and Nguyen (IEEE Trans. Computers 64, 2015; ACM TOMS 46, 2020; as in
// ReproBLAS and CUB's reproducible reduction), written once for CPU and CUDA: ordinary floating-point additions whose result
// does not depend on the order of the summands, on how they are shared out, or on how the shares meet.
//
// A fixed grid of bins covers the exponents: bin i has unit u_i = 2^(first_unit - W i), with W = 13 for summands in f32 and
// W = 40 in f64. A summand x is cut into slices: its slice at bin i is what is left of it there, rounded to the nearest
// multiple of u_i; the rest goes on to bin i + 1. Rounding is one addition to and one subtraction from a number whose last
// place is u_i, and ties cannot happen because the last bit of what is rounded is set before (r | 1). So a slice depends on
// x and i alone. The bin of the largest magnitude is the first i with max < 2^(W-1) u_i; from this top bin on K = 3 bins
// are summed, exactly, and the result is these three sums rounded once. What lies below the third bin is dropped: at most
// u/2 of it for each summand, so the error is at most n * max * 2^(-W (K - 1)) plus the final rounding.
//
// State. In registers a lane's primaries start at 1.5 * 2^(p-1) units (p: 24 or 53 significant bits) and stay in their
// binade for 2^(p-W-2) deposits of slices up to 2^(W-1) units. Then the lane is emptied: what its primaries have grown by is
// a whole number of units, which is added to the memory state, per bin a primary and a carry as 64-bit integers (value =
// primary + 2^32 carry units), for all bins. Integer additions are associative, so that even atomics in any order give the
// same state; which three bins count is known at the end, when the largest magnitude is.
//
// A lane works on summands times scale(top), a power of two that makes the top bin's unit 1, so that its constants are
// literals and neither overflow nor denormals can disturb a slice: the grid ends below the smallest denormal, and what
// becomes a denormal by scaling lies below the third bin.
//
// NaN and infinities never enter bins; they are counted, as in the superaccumulator. Sums beyond the largest float become
// infinite by the final rounding alone, partial sums cannot overflow. Up to 2^40 summands.
#pragma once

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {

template <class A>
struct BinGrid;
template <>
struct BinGrid<float> {
  static constexpr int precision = 24, width = 13;
  /// u_0 = 2^124; the last top bin has unit 2^-123, so that its scale is a float, and its third bin 2^-149.
  static constexpr int first_unit = 124, top_bins = 20;
  /// Where the primary of the k-th kept bin starts, in scaled units: 1.5 * 2^(p-1) times 2^(-W k).
  DETBENCH_HOST_DEVICE static constexpr float start(int k) { return k == 0 ? 0x1.8p23f : k == 1 ? 0x1.8p10f : 0x1.8p-3f; }
  DETBENCH_HOST_DEVICE static constexpr float units(int k) { return k == 0 ? 1.0f : k == 1 ? 0x1p13f : 0x1p26f; }
};
template <>
struct BinGrid<double> {
  static constexpr int precision = 53, width = 40;
  /// u_0 = 2^995; the last top bin has unit 2^-1005, its third bin 2^-1085.
  static constexpr int first_unit = 995, top_bins = 51;
  DETBENCH_HOST_DEVICE static constexpr double start(int k) { return k == 0 ? 0x1.8p52 : k == 1 ? 0x1.8p12 : 0x1.8p-28; }
  DETBENCH_HOST_DEVICE static constexpr double units(int k) { return k == 0 ? 1.0 : k == 1 ? 0x1p40 : 0x1p80; }
};
inline constexpr int kept_bins = 3;
inline constexpr int carry_shift = 32;  ///< of the memory state

template <class A>
DETBENCH_HOST_DEVICE constexpr int bin_unit(int bin) {
  return BinGrid<A>::first_unit - BinGrid<A>::width * bin;
}
/// Deposits that a lane takes before it has to be emptied: 512 or 2048.
template <class A>
inline constexpr int deposits_before_emptying = 1 << (BinGrid<A>::precision - BinGrid<A>::width - 2);

/// The top bin of a largest magnitude that is finite: the last one whose slices can hold it.
template <class A>
DETBENCH_HOST_DEVICE inline int top_bin(A magnitude) {
  using Format = FloatFormat<A>;
  const int exponent = static_cast<int>(bits_of(magnitude) >> Format::fraction_bits & ((1 << Format::exponent_bits) - 1)) -
                       Format::bias;  // magnitude < 2^(exponent + 1), denormals included
  // exponent + 1 <= W - 1 + first_unit - W i
  const int bin = (BinGrid<A>::width - 2 + BinGrid<A>::first_unit - exponent) / BinGrid<A>::width;
  return bin < BinGrid<A>::top_bins ? bin : BinGrid<A>::top_bins - 1;
}
/// Power of two that summands are multiplied by where the top bin is `bin`.
template <class A>
DETBENCH_HOST_DEVICE inline A bin_scale(int bin) {
  using Format = FloatFormat<A>;
  return value_of<A>(static_cast<typename Format::Bits>(Format::bias - bin_unit<A>(bin)) << Format::fraction_bits);
}
/// Scaled magnitudes from this on need another top bin: 2^(W-1).
template <class A>
inline constexpr A scaled_limit = static_cast<A>(std::int64_t{1} << (BinGrid<A>::width - 1));

/// The primaries of one lane in registers.
template <class A>
struct BinnedLane {
  A primary[kept_bins] = {BinGrid<A>::start(0), BinGrid<A>::start(1), BinGrid<A>::start(2)};

  /// One summand, scaled, below scaled_limit.
  DETBENCH_HOST_DEVICE void deposit(A rest) {
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int k = 0; k < kept_bins; ++k) {
      const A grown = primary[k] + value_of<A>(bits_of(rest) | 1);
      rest -= grown - primary[k];
      primary[k] = grown;
    }
  }
  /// What bin k has grown by, in its units; at most deposits_before_emptying * 2^(W-1), exact in A. Lanes may be added up
  /// in A as long as all of them together have taken no more than 2^(p-W+1) deposits (4096 and 16384).
  DETBENCH_HOST_DEVICE A growth(int k) const {
    return (primary[k] - BinGrid<A>::start(k)) * BinGrid<A>::units(k);
  }
};

/// Slots of the memory state of sums in A: a primary, a carry and a mark "has been a top bin" for every bin, then counters.
template <class A>
struct BinnedSlots {
  static constexpr int bins = BinGrid<A>::top_bins + kept_bins - 1;
  DETBENCH_HOST_DEVICE static constexpr int primary_slot(int bin) { return 3 * bin; }
  DETBENCH_HOST_DEVICE static constexpr int carry_slot(int bin) { return 3 * bin + 1; }
  DETBENCH_HOST_DEVICE static constexpr int top_slot(int bin) { return 3 * bin + 2; }
  static constexpr int nan_slot = 3 * bins, positive_infinity_slot = nan_slot + 1, negative_infinity_slot = nan_slot + 2;
  /// As in Superaccumulator.
  static constexpr int not_negative_zero_slot = nan_slot + 3;
  static constexpr int slots = nan_slot + 4;
};

/// Adds so many units of the k-th bin from `top` on: `add(slot, amount)` as in superaccumulator.hpp.
template <class A, class Add>
DETBENCH_HOST_DEVICE inline void add_units(int top, int k, std::int64_t units, Add&& add) {
  // Both have the sign of the units. A primary then has room for 2^31 calls, that is for 2^42 summands.
  const std::int64_t carry = units / (std::int64_t{1} << carry_shift), primary = units % (std::int64_t{1} << carry_shift);
  if (primary != 0) add(BinnedSlots<A>::primary_slot(top + k), primary);
  if (carry != 0) add(BinnedSlots<A>::carry_slot(top + k), carry);
}
/// Adds what lanes with top bin `top` have grown by at their k-th bin.
template <class A, class Add>
DETBENCH_HOST_DEVICE inline void add_growth(int top, int k, A growth, Add&& add) {
  add_units<A>(top, k, static_cast<std::int64_t>(growth), add);
}
/// Says that a summand of this top bin, or a larger one, was there. Call once for every top bin in use: the smallest of them
/// must be that of the largest magnitude.
template <class A, class Add>
DETBENCH_HOST_DEVICE inline void mark_top(int top, Add&& add) {
  add(BinnedSlots<A>::top_slot(top), std::int64_t{1});
}
/// Counts a summand that is infinite or NaN.
template <class A, class Add>
DETBENCH_HOST_DEVICE inline void count_special(A value, Add&& add) {
  using Slots = BinnedSlots<A>;
  add(value != value ? Slots::nan_slot : value > 0 ? Slots::positive_infinity_slot : Slots::negative_infinity_slot,
      std::int64_t{1});
}

/// A state's sum, rounded once to T, nearest even.
template <class A, class T>
DETBENCH_HOST_DEVICE inline T rounded_bins(const std::int64_t* state) {
  using Slots = BinnedSlots<A>;
  using Exact = Superaccumulator<A>;
  std::int64_t exact[Exact::slots];
  for (std::int64_t& slot : exact) slot = 0;
  exact[Exact::nan_slot] = state[Slots::nan_slot];
  exact[Exact::positive_infinity_slot] = state[Slots::positive_infinity_slot];
  exact[Exact::negative_infinity_slot] = state[Slots::negative_infinity_slot];
  exact[Exact::not_negative_zero_slot] = state[Slots::not_negative_zero_slot];
  int top = 0;
  while (top < BinGrid<A>::top_bins && state[Slots::top_slot(top)] == 0) ++top;
  const auto add = [&](int limb, std::int64_t amount) { exact[limb] += amount; };
  for (int k = 0; k < kept_bins && top < BinGrid<A>::top_bins; ++k) {
    const int position = bin_unit<A>(top + k) - RegisterFormat<A>::unit_exponent;
    const std::int64_t primary = state[Slots::primary_slot(top + k)], carry = state[Slots::carry_slot(top + k)];
    add_digits(static_cast<std::uint64_t>(primary < 0 ? -primary : primary), position, primary < 0, add);
    add_digits(static_cast<std::uint64_t>(carry < 0 ? -carry : carry), position + carry_shift, carry < 0, add);
  }
  return rounded_sum<A, T>(exact);
}

/// In which type a source's summands are binned: f32 and 16-bit elements in f32; products exactly, in f64 (of f64 factors
/// as their rounded value and what that lost, two deposits).
template <class Source>
struct BinnedTypeOf {
  using Type = double;
};
template <class S>
struct BinnedTypeOf<Elements<S>> {
  using Type = typename Elements<S>::Accumulator;
};
template <class Source>
using binned_type = typename BinnedTypeOf<Source>::Type;

}  // namespace detbench::reduction
