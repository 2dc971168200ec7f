#include <immintrin.h>

#include <utility>

#include "kernels/device/ordered_products.hpp"

// As in ordered_products_avx512.cpp: only what follows is compiled for AVX2 and FMA.
#pragma GCC target("avx2,fma")

namespace detbench::ordered {
namespace {

using V = __m256;
// 16 registers: 3 rows of 4 vectors are 12 accumulators, and leave 4 for the operands.
constexpr int lanes = 8, tile_rows_here = 3, depthwise_vectors = 2, depthwise_pixel_vectors = 2, row_vectors_here = 2;
constexpr bool row_in_blocks_here = true;

inline __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline V zero() { return _mm256_setzero_ps(); }
inline V broadcast(float x) { return _mm256_set1_ps(x); }
inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline V load_some(const float* p, int n) { return n >= lanes ? load(p) : _mm256_maskload_ps(p, first_lanes(n)); }
inline void store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline void store_some(float* p, V v, int n) { n >= lanes ? store(p, v) : _mm256_maskstore_ps(p, first_lanes(n), v); }
inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }

#include "kernels/device/ordered_products_kernels.inl"

}  // namespace

const Kernels& kernels_avx2() {
  static constexpr Kernels kernels{InstructionSet::avx2, tile_rows_here, tile, outer, depthwise, depthwise_row, depthwise_sums};
  return kernels;
}

}  // namespace detbench::ordered
