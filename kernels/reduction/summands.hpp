// Where the summands of a reduction come from: a vector (`sum`) or the products of two (`dot`), stored in f32, f64, f16 or
// bf16. Every strategy is written once for all of them, on CPU, CUDA and in tests.
//
// A source knows its summands in three ways:
//  - at(i): rounded once to the accumulator's type (f32; f64 for f64). Widening is exact; a product is rounded by itself,
//    multiply and add apart, never fused. Products of f16 are exact in f32, those of bf16 unless they leave its range.
//  - wide(i): exactly, in double. f32 products have 48 bits and exponents of +-300; f64 has no wider type and no wide().
//  - product_of(): f64 products exactly, as the sum of two doubles.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

// 16 bits say nothing of their format: two types, so that a source cannot be read in the wrong one.
struct F16Bits {
  std::uint16_t bits;
};
struct Bf16Bits {
  std::uint16_t bits;
};

/// A stored value in the type that sums of it accumulate in; exact.
DETBENCH_HOST_DEVICE inline float widened(float value) { return value; }
DETBENCH_HOST_DEVICE inline double widened(double value) { return value; }
DETBENCH_HOST_DEVICE inline float widened(F16Bits value) {
#ifdef __CUDA_ARCH__
  // float_from_f16() as the one instruction that does the same; some 15 would cost more than memory does.
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#else
  return float_from_f16(value.bits);
#endif
}
DETBENCH_HOST_DEVICE inline float widened(Bf16Bits value) { return float_from_bf16(value.bits); }

/// high + low is x * y exactly, high the rounded product, unless it overflows (then low is 0) or low falls below the
/// smallest denormal (then it is rounded there): Dekker's product by a fused multiply-add (Ogita, Rump, Oishi, SIAM J.
/// Sci. Comput. 26, 2005).
struct TwoTerms {
  double high, low;
};
DETBENCH_HOST_DEVICE inline TwoTerms product_of(double x, double y) {
  const double high = x * y;
#ifdef __CUDA_ARCH__
  const double low = __fma_rn(x, y, -high);
#else
  const double low = std::fma(x, y, -high);
#endif
  return {high, high - high == 0 ? low : 0.0};
}

template <class S>
struct Elements {
  using Stored = S;
  using Accumulator = decltype(widened(S{}));
  static constexpr bool is_product = false;
  const S* x;

  DETBENCH_HOST_DEVICE static Accumulator summand(S x) { return widened(x); }
  DETBENCH_HOST_DEVICE static double wide_summand(S x) { return static_cast<double>(widened(x)); }
  DETBENCH_HOST_DEVICE Accumulator at(std::int64_t i) const { return summand(x[i]); }
  DETBENCH_HOST_DEVICE double wide(std::int64_t i) const { return wide_summand(x[i]); }
  /// The same summands from number i on.
  DETBENCH_HOST_DEVICE Elements from(std::int64_t i) const { return {x + i}; }
};

template <class S>
struct Products {
  using Stored = S;
  using Accumulator = decltype(widened(S{}));
  static constexpr bool is_product = true;
  const S *x, *y;

  DETBENCH_HOST_DEVICE static Accumulator summand(S x, S y) { return widened(x) * widened(y); }
  DETBENCH_HOST_DEVICE static double wide_summand(S x, S y) {
    return static_cast<double>(widened(x)) * static_cast<double>(widened(y));
  }
  DETBENCH_HOST_DEVICE Accumulator at(std::int64_t i) const { return summand(x[i], y[i]); }
  DETBENCH_HOST_DEVICE double wide(std::int64_t i) const { return wide_summand(x[i], y[i]); }
  DETBENCH_HOST_DEVICE Products from(std::int64_t i) const { return {x + i, y + i}; }
};

/// Whether wide() holds the summand exactly, with a wider range than the accumulator's. Not for f64.
template <class Source>
inline constexpr bool has_wide = sizeof(typename Source::Accumulator) == 4;

}  // namespace detbench::reduction
