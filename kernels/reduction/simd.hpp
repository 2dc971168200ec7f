// Vectors by GCC's vector extensions: one template body, compiled per instruction set by the functions that inline it.
#pragma once

#include <cstdint>

namespace detbench::reduction {

#define DETBENCH_INLINE [[gnu::always_inline]] inline

template <class T, int Bytes>
struct Simd {
  static constexpr int width = Bytes / static_cast<int>(sizeof(T));
  typedef T Vector __attribute__((vector_size(Bytes)));
  /// The same vector at any address of an element and under any type.
  typedef T Loose __attribute__((vector_size(Bytes), aligned(1), may_alias));

  DETBENCH_INLINE static void load(Vector& to, const void* from) { to = *static_cast<const Loose*>(from); }
  DETBENCH_INLINE static void store(void* to, const Vector& from) { *static_cast<Loose*>(to) = from; }
};

/// Widens as many f32 as a vector of double has lanes. g++ 12 makes five instructions of __builtin_convertvector here,
/// and the intrinsic for the one that does it cannot be inlined into a template that is compiled for several sets.
template <int Bytes>
DETBENCH_INLINE void widen(typename Simd<double, Bytes>::Vector& to, const float* from) {
  using Half = Simd<float, Bytes / 2>;
#if defined(__x86_64__)
  if constexpr (Bytes > 16) {
    asm("vcvtps2pd %1, %0" : "=v"(to) : "m"(*reinterpret_cast<const typename Half::Loose*>(from)));
    return;
  }
#endif
  typename Half::Vector half;
  Half::load(half, from);
  to = __builtin_convertvector(half, typename Simd<double, Bytes>::Vector);
}

}  // namespace detbench::reduction
