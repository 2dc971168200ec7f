// How an exact sum gets by with double arithmetic where the exponents of the summands lie close together: the fast
// path in front of the superaccumulator, written once for CPU and CUDA, for sums and for dot products.
//
// A window of 2048 summands has a largest exponent E and, among the nonzero ones, a smallest e. A summand is below
// 2^(E + t) and a whole multiple of u = 2^(e - F): elements have t = 1 and F fraction bits; products, with E and e the sums
// of the factors' exponents, t = 2 and F = both factors' fraction bits. Additions in double are exact as long as no partial
// sum exceeds 2^53 units, whatever their order. So if E - e is small enough the window's sum comes out exactly, as two
// doubles that each are deposited in the superaccumulator. If it is not, the summands go there one by one. Which way was
// taken cannot be seen in the result: all of them are exact. With P = E + t - 1, the summands below 2^(P + 1):
//
// - narrow: partial sums of at most 128 summands are below 2^(P + 8), hence exact when P + 8 - (e - F) <= 53, that is
//   E - e <= 46 - t - F: 22 for f32, 35 for f16, 38 for bf16, 24 and 30 for products of f16 and bf16; never for f64 or
//   products of f32. Afterwards each partial sum is sliced as below, so that all of them can be added.
// - sliced: M = 1.5 * 2^(P + 11) has its last place at 2^(P - 41). high = (x + M) - M is x rounded to a multiple of
//   2^(P - 41), low = x - high is exact, |low| <= 2^(P - 42). Sums of 2048 highs stay below 2^(P + 12) = 2^53 * 2^(P - 41);
//   sums of 2048 lows stay below 2^(P - 31), exact when P - 31 - (e - F) <= 53: E - e <= 85 - t - F, which is 61 for f32, 32
//   for f64, 37 for products of f32. This is the pre-rounding of Demmel and Nguyen (IEEE ARITH 2013), with every slice kept.
// - Products of f64 have 106 bits: each is taken as its rounded value and what that lost (product_of()), a whole multiple
//   of 2^(e - 52) below 2^(E + 2), and one of 2^(e - 104) up to 2^(E - 51). The former is sliced with M, the latter
//   with M * 2^-53, and both are exact when E - e <= 31.
#pragma once

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {

inline constexpr int window_elements = 2048;  ///< summands that share one window; the bounds above are made for it
inline constexpr int narrow_terms = 128;      ///< most summands per partial sum in the narrow case

enum class WindowFit { narrow, sliced, none };

/// Largest magnitude and smallest nonzero magnitude of stored values, as bits: among floats of one sign, bits order as
/// values do.
template <class S>
struct MagnitudeRange {
  using Bits = typename FloatFormat<S>::Bits;
  Bits largest = 0;
  Bits smallest_less_one = static_cast<Bits>(~Bits{0});  ///< magnitude - 1 wraps zeros to the top, out of the way

  DETBENCH_HOST_DEVICE void observe(S value) {
    const Bits magnitude = bits_of(value) & static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
    if (magnitude > largest) largest = magnitude;
    if (static_cast<Bits>(magnitude - 1) < smallest_less_one) smallest_less_one = static_cast<Bits>(magnitude - 1);
  }
  DETBENCH_HOST_DEVICE void join(const MagnitudeRange& other) {
    if (other.largest > largest) largest = other.largest;
    if (other.smallest_less_one < smallest_less_one) smallest_less_one = other.smallest_less_one;
  }
  DETBENCH_HOST_DEVICE bool all_zero() const { return largest == 0; }
  DETBENCH_HOST_DEVICE bool finite() const {
    return largest >> FloatFormat<S>::fraction_bits < (1 << FloatFormat<S>::exponent_bits) - 1;
  }
  /// Exponents of the largest and of the smallest that is not 0; denormals share that of the smallest normal numbers.
  DETBENCH_HOST_DEVICE int top_exponent() const { return exponent_of(largest); }
  DETBENCH_HOST_DEVICE int bottom_exponent() const {
    return all_zero() ? top_exponent() : exponent_of(static_cast<Bits>(smallest_less_one + 1));
  }

 private:
  DETBENCH_HOST_DEVICE static int exponent_of(Bits magnitude) {
    const int biased = static_cast<int>(magnitude >> FloatFormat<S>::fraction_bits);
    return (biased > 0 ? biased : 1) - FloatFormat<S>::bias;
  }
};

/// What is known of a window's summands; t and F above.
template <class Source>
struct WindowRange;

template <class S>
struct WindowRange<Elements<S>> {
  static constexpr int top_bits = 1, fraction_bits = FloatFormat<S>::fraction_bits;
  MagnitudeRange<S> x;
  DETBENCH_HOST_DEVICE void observe(S value) { x.observe(value); }
  DETBENCH_HOST_DEVICE void join(const WindowRange& other) { x.join(other.x); }
  DETBENCH_HOST_DEVICE bool all_zero() const { return x.all_zero(); }
  DETBENCH_HOST_DEVICE bool finite() const { return x.finite(); }
  DETBENCH_HOST_DEVICE int top_exponent() const { return x.top_exponent(); }
  DETBENCH_HOST_DEVICE int bottom_exponent() const { return x.bottom_exponent(); }
};
template <class S>
struct WindowRange<Products<S>> {
  /// Products of f64: the bounds of their rounded values.
  static constexpr int top_bits = 2, fraction_bits = sizeof(S) == 8 ? 52 : 2 * FloatFormat<S>::fraction_bits;
  MagnitudeRange<S> x, y;
  DETBENCH_HOST_DEVICE void observe(S a, S b) { x.observe(a), y.observe(b); }
  DETBENCH_HOST_DEVICE void join(const WindowRange& other) { x.join(other.x), y.join(other.y); }
  /// All products are zero; a window may hold none but zeros without this, where zeros face values.
  DETBENCH_HOST_DEVICE bool all_zero() const { return finite() && (x.all_zero() || y.all_zero()); }
  DETBENCH_HOST_DEVICE bool finite() const { return x.finite() && y.finite(); }
  DETBENCH_HOST_DEVICE int top_exponent() const { return x.top_exponent() + y.top_exponent(); }
  DETBENCH_HOST_DEVICE int bottom_exponent() const { return x.bottom_exponent() + y.bottom_exponent(); }
};

/// How a window fits if it is summed as if its largest exponent were `top`, which must not be below it.
template <class Source>
DETBENCH_HOST_DEVICE inline WindowFit window_fit(const WindowRange<Source>& range, int top) {
  using Range = WindowRange<Source>;
  if (!range.finite()) return WindowFit::none;
  if (range.all_zero()) return WindowFit::narrow;
  const int spread = top - range.bottom_exponent();
  if constexpr (!has_wide<Source>) {
    if (top + 13 > 1023) return WindowFit::none;  // M itself must not overflow
    if (Source::is_product && range.bottom_exponent() - 104 < -1074) return WindowFit::none;  // nor what was lost underflow
  }
  if (spread <= 46 - Range::top_bits - Range::fraction_bits) return WindowFit::narrow;
  return spread <= 85 - Range::top_bits - Range::fraction_bits ? WindowFit::sliced : WindowFit::none;
}
template <class Source>
DETBENCH_HOST_DEVICE inline WindowFit window_fit(const WindowRange<Source>& range) {
  return window_fit(range, range.top_exponent());
}
/// Whether windows of this source can be narrow at all.
template <class Source>
inline constexpr bool can_be_narrow = WindowRange<Source>::fraction_bits + WindowRange<Source>::top_bits <= 46;

/// M above, for windows whose largest exponent is `top`.
template <class Source>
DETBENCH_HOST_DEVICE inline double window_slicer(int top) {
  const int exponent = top + WindowRange<Source>::top_bits + 10;
  return value_of<double>(static_cast<std::uint64_t>(exponent + FloatFormat<double>::bias) << 52 | std::uint64_t{1} << 51);
}
template <class Source>
DETBENCH_HOST_DEVICE inline double window_slicer(const WindowRange<Source>& range) {
  return window_slicer<Source>(range.top_exponent());
}
inline constexpr double lost_slicer_scale = 0x1p-53;  ///< times M: the slicer of what f64 products lost

/// Two exact partial sums of one window.
struct SlicedSum {
  double high = 0, low = 0;
  DETBENCH_HOST_DEVICE void add(double value, double slicer) {
    const double part = (value + slicer) - slicer;
    high += part;
    low += value - part;
  }
};

/// Which elements of a window thread `lane` of a warp holds: four neighbours of each of 16 rows of 128.
inline constexpr int window_rows = 16, window_row_elements = 128;
static_assert(window_rows * window_row_elements == window_elements);
DETBENCH_HOST_DEVICE constexpr int window_element(int lane, int row) { return row * window_row_elements + lane * 4; }

}  // namespace detbench::reduction
