#include <immintrin.h>

#include <utility>

#include "kernels/device/ordered_products.hpp"

// From here on everything is compiled for AVX-512; the headers above were not, so no inline function of theirs can leak
// wide instructions into the rest of the program.
#pragma GCC target("avx512f,avx512vl,avx2,fma")

namespace detbench::ordered {
namespace {

using V = __m512;
constexpr int lanes = 16, tile_rows_here = 12, depthwise_vectors = 4, depthwise_pixel_vectors = 4, row_vectors_here = 4;
constexpr bool row_in_blocks_here = true;

inline __mmask16 first_lanes(int n) { return n >= lanes ? 0xFFFF : static_cast<__mmask16>((1u << n) - 1); }
inline V zero() { return _mm512_setzero_ps(); }
inline V broadcast(float x) { return _mm512_set1_ps(x); }
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline V load_some(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline void store_some(float* p, V v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }

#include "kernels/device/ordered_products_kernels.inl"

}  // namespace

const Kernels& kernels_avx512() {
  static constexpr Kernels kernels{InstructionSet::avx512, tile_rows_here, tile, outer, depthwise, depthwise_row, depthwise_sums};
  return kernels;
}

}  // namespace detbench::ordered
