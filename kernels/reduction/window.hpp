// How an exact sum gets by with double arithmetic where the exponents of the summands lie close together: the fast
// path in front of the superaccumulator, written once for CPU and CUDA.
//
// A chunk of 2048 summands has a largest exponent E (all |x| < 2^(E+1)) and, among the nonzero ones, a smallest e;
// every summand is a whole multiple of u = 2^(e - fraction bits). Additions in double are exact as long as no partial
// sum exceeds 2^53 units, whatever their order. So if E - e is small enough the chunk's sum comes out exactly, as two
// doubles that each are deposited in the superaccumulator. If it is not, the summands go there one by one. Which way
// was taken cannot be seen in the result: all of them are exact.
//
// - narrow (f32 only): partial sums of at most 128 summands are below 2^(E+8), hence exact when
//   E + 8 - (e - 23) <= 53, that is E - e <= 22. Afterwards each is sliced as below, so that all of them can be added.
// - sliced: M = 1.5 * 2^(E+11) has its last place at 2^(E-41). high = (x + M) - M is x rounded to a multiple of
//   2^(E-41), low = x - high is exact, |low| <= 2^(E-42). Sums of 2048 highs stay below 2^(E+12) = 2^53 * 2^(E-41);
//   sums of 2048 lows stay below 2^(E-31), exact when E - 31 - (e - fraction bits) <= 53: E - e <= 61 for f32, <= 32
//   for f64. This is the pre-rounding of Demmel and Nguyen (IEEE ARITH 2013), with every slice kept.
#pragma once

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {

inline constexpr int window_elements = 2048;  ///< summands that share one window; the bounds above are made for it
inline constexpr int narrow_terms = 128;      ///< most summands per partial sum in the narrow case

enum class WindowFit { narrow, sliced, none };

/// Largest magnitude and smallest nonzero magnitude, as bits: among floats of one sign, bits order as values do.
template <class T>
struct MagnitudeRange {
  using Bits = typename FloatFormat<T>::Bits;
  Bits largest = 0;
  Bits smallest_less_one = static_cast<Bits>(~Bits{0});  ///< magnitude - 1 wraps zeros to the top, out of the way

  DETBENCH_HOST_DEVICE void observe(T value) {
    const Bits magnitude = bits_of(value) & static_cast<Bits>(~Bits{0} >> 1);
    if (magnitude > largest) largest = magnitude;
    if (static_cast<Bits>(magnitude - 1) < smallest_less_one) smallest_less_one = magnitude - 1;
  }
  DETBENCH_HOST_DEVICE void join(const MagnitudeRange& other) {
    if (other.largest > largest) largest = other.largest;
    if (other.smallest_less_one < smallest_less_one) smallest_less_one = other.smallest_less_one;
  }
  DETBENCH_HOST_DEVICE bool all_zero() const { return largest == 0; }
  /// Biased exponent of the largest; denormals share the exponent of the smallest normal numbers.
  DETBENCH_HOST_DEVICE int top_exponent() const { return exponent_of(largest); }

  DETBENCH_HOST_DEVICE WindowFit fit() const {
    const int top = top_exponent();
    // Infinities and NaNs carry the top exponent; for f64, M itself must not overflow.
    constexpr int beyond = (1 << FloatFormat<T>::exponent_bits) - 1;
    if (top >= (sizeof(T) == 8 ? beyond - 12 : beyond)) return WindowFit::none;
    if (all_zero()) return WindowFit::narrow;
    const int spread = top - exponent_of(static_cast<Bits>(smallest_less_one + 1));
    if (sizeof(T) == 4 && spread <= 22) return WindowFit::narrow;
    return spread <= (sizeof(T) == 4 ? 61 : 32) ? WindowFit::sliced : WindowFit::none;
  }

  /// M above.
  DETBENCH_HOST_DEVICE double slicer() const {
    const int exponent = top_exponent() - FloatFormat<T>::bias + 11;
    const std::uint64_t bits = static_cast<std::uint64_t>(exponent + FloatFormat<double>::bias) << 52 | std::uint64_t{1}
                                                                                                            << 51;
    return value_of<double>(bits);
  }

 private:
  DETBENCH_HOST_DEVICE static int exponent_of(Bits magnitude) {
    const int exponent = static_cast<int>(magnitude >> FloatFormat<T>::fraction_bits);
    return exponent > 0 ? exponent : 1;
  }
};

/// Two exact partial sums of one window.
struct SlicedSum {
  double high = 0, low = 0;
  DETBENCH_HOST_DEVICE void add(double value, double slicer) {
    const double part = (value + slicer) - slicer;
    high += part;
    low += value - part;
  }
};

/// One CUDA thread's share of a window: Count summands of the 2048, any ones. The shares' highs and lows can be added
/// up in any order.
template <class T, int Count>
DETBENCH_HOST_DEVICE inline SlicedSum slice_share(const T (&values)[Count], WindowFit fit, double slicer) {
  static_assert(Count % 4 == 0 && Count <= narrow_terms);
  SlicedSum sum;
  if (sizeof(T) == 4 && fit == WindowFit::narrow) {
    double sums[4] = {};
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < Count; ++i) sums[i % 4] += static_cast<double>(values[i]);
    sum.add((sums[0] + sums[1]) + (sums[2] + sums[3]), slicer);  // together still at most narrow_terms summands
  } else {
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < Count; ++i) sum.add(static_cast<double>(values[i]), slicer);
  }
  return sum;
}

/// Which elements of a window thread `lane` of a warp holds: four neighbours of each of 16 rows of 128.
inline constexpr int window_rows = 16, window_row_elements = 128;
static_assert(window_rows * window_row_elements == window_elements);
DETBENCH_HOST_DEVICE constexpr int window_element(int lane, int row) { return row * window_row_elements + lane * 4; }

}  // namespace detbench::reduction
