// Loads of summands into vectors, for every source and instruction set. Widening is exact, so which instructions do it
// cannot reach the bits.
#pragma once

#include <cstdint>

#include "kernels/reduction/simd.hpp"
#include "kernels/reduction/summands.hpp"

namespace detbench::reduction {

/// 16-bit integers into the low halves of 32-bit lanes. `Vex`: the function is compiled for AVX2 or more, whatever Bytes.
template <int Bytes, bool Vex>
DETBENCH_INLINE void load_u16(typename Simd<std::uint32_t, Bytes>::Vector& to, const void* from) {
  using Half = Simd<std::uint16_t, Bytes / 2>;
#if defined(__x86_64__)
  if constexpr (Vex) {
    asm("vpmovzxwd %1, %0" : "=v"(to) : "m"(*static_cast<const typename Half::Loose*>(from)));
    return;
  }
#endif
  typename Half::Vector half;
  Half::load(half, from);
  to = __builtin_convertvector(half, typename Simd<std::uint32_t, Bytes>::Vector);
}

/// Stored values as floats.
template <int Bytes, bool Vex>
DETBENCH_INLINE void load_widened(typename Simd<float, Bytes>::Vector& to, const float* from) {
  Simd<float, Bytes>::load(to, from);
}
template <int Bytes, bool Vex>
DETBENCH_INLINE void load_widened(typename Simd<float, Bytes>::Vector& to, const Bf16Bits* from) {
  typename Simd<std::uint32_t, Bytes>::Vector bits;
  load_u16<Bytes, Vex>(bits, from);
  to = reinterpret_cast<typename Simd<float, Bytes>::Vector>(bits << 16);
}
template <int Bytes, bool Vex>
DETBENCH_INLINE void load_widened(typename Simd<float, Bytes>::Vector& to, const F16Bits* from) {
#if defined(__x86_64__)
  if constexpr (Vex) {
    asm("vcvtph2ps %1, %0" : "=v"(to) : "m"(*reinterpret_cast<const typename Simd<std::uint16_t, Bytes / 2>::Loose*>(from)));
    return;
  }
#endif
  using Words = typename Simd<std::uint32_t, Bytes>::Vector;
  using Floats = typename Simd<float, Bytes>::Vector;
  Words bits;
  load_u16<Bytes, Vex>(bits, from);
  // As an f32 the magnitude is 2^112 times too small, denormals included; infinities and NaNs need their exponent.
  const Words magnitude = (bits & 0x7FFFu) << 13;
  const Floats scaled = reinterpret_cast<Floats>(magnitude) * 0x1p112f;
  const Words special = reinterpret_cast<Words>(magnitude >= 0x0F800000u) & 0x7F800000u;
  to = reinterpret_cast<Floats>(reinterpret_cast<Words>(scaled) | special | (bits & 0x8000u) << 16);
}
template <int Bytes, bool Vex>
DETBENCH_INLINE void load_widened(typename Simd<double, Bytes>::Vector& to, const double* from) {
  Simd<double, Bytes>::load(to, from);
}

/// Stored values as doubles.
template <int Bytes, class S>
DETBENCH_INLINE void load_doubles(typename Simd<double, Bytes>::Vector& to, const S* from) {
  if constexpr (sizeof(S) == 8) {
    Simd<double, Bytes>::load(to, from);
  } else if constexpr (sizeof(S) == 4) {
    widen<Bytes>(to, from);
  } else if constexpr (Bytes == 16) {
    for (int i = 0; i < 2; ++i) to[i] = static_cast<double>(widened(from[i]));
  } else {
    typename Simd<float, Bytes / 2>::Vector half;
    load_widened<Bytes / 2, true>(half, from);
#if defined(__x86_64__)
    asm("vcvtps2pd %1, %0" : "=v"(to) : "v"(half));
#else
    to = __builtin_convertvector(half, typename Simd<double, Bytes>::Vector);
#endif
  }
}

/// Summands i, i + 1, ... as a vector: at(), wide().
template <int Bytes, class S>
DETBENCH_INLINE void load_summands(typename Simd<typename Elements<S>::Accumulator, Bytes>::Vector& to, const Elements<S>& source,
                                   std::int64_t i) {
  load_widened<Bytes, (Bytes > 16)>(to, source.x + i);
}
template <int Bytes, class S>
DETBENCH_INLINE void load_summands(typename Simd<typename Products<S>::Accumulator, Bytes>::Vector& to, const Products<S>& source,
                                   std::int64_t i) {
  typename Simd<typename Products<S>::Accumulator, Bytes>::Vector y;
  load_widened<Bytes, (Bytes > 16)>(to, source.x + i);
  load_widened<Bytes, (Bytes > 16)>(y, source.y + i);
  to *= y;
}
template <int Bytes, class S>
DETBENCH_INLINE void load_wide(typename Simd<double, Bytes>::Vector& to, const Elements<S>& source, std::int64_t i) {
  load_doubles<Bytes>(to, source.x + i);
}
template <int Bytes, class S>
DETBENCH_INLINE void load_wide(typename Simd<double, Bytes>::Vector& to, const Products<S>& source, std::int64_t i) {
  typename Simd<double, Bytes>::Vector y;
  load_doubles<Bytes>(to, source.x + i);
  load_doubles<Bytes>(y, source.y + i);
  to *= y;
}

/// product_of() of f64 factors.
template <int Bytes>
DETBENCH_INLINE void load_products(typename Simd<double, Bytes>::Vector& high, typename Simd<double, Bytes>::Vector& low,
                                   const Products<double>& source, std::int64_t i) {
  typename Simd<double, Bytes>::Vector x, y;
  Simd<double, Bytes>::load(x, source.x + i);
  Simd<double, Bytes>::load(y, source.y + i);
  high = x * y;
#if defined(__x86_64__)
  if constexpr (Bytes > 16) {
    low = x;
    asm("vfmsub213pd %2, %1, %0" : "+v"(low) : "v"(y), "v"(high));  // low * y - high
    low = high - high == 0 ? low : typename Simd<double, Bytes>::Vector{};
    return;
  }
#endif
  for (int lane = 0; lane < Simd<double, Bytes>::width; ++lane) low[lane] = product_of(x[lane], y[lane]).low;
}

/// Writes BODY(Source) for every source.
#define DETBENCH_FOR_EACH_SOURCE(BODY)                                                                                          \
  BODY(Elements<float>) BODY(Elements<double>) BODY(Elements<F16Bits>) BODY(Elements<Bf16Bits>) BODY(Products<float>)           \
      BODY(Products<double>) BODY(Products<F16Bits>) BODY(Products<Bf16Bits>)

}  // namespace detbench::reduction
