#include <immintrin.h>

#include "kernels/arithmetic_rate/chains.hpp"

// From here on everything is compiled for AVX2 and FMA; the headers above were not, so no inline function of theirs can leak
// such instructions into the rest of the program.
#pragma GCC target("avx2,fma")

namespace detbench::arithmetic_rate {
namespace {

using V = __m256;
// Two a cycle that take four or five cycles each want ten in flight; 12 leave 4 of the 16 registers.
constexpr int lanes = 8, vectors = 12;

inline V broadcast(float x) { return _mm256_set1_ps(x); }
inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }

#include "kernels/arithmetic_rate/chains_kernel.inl"

}  // namespace

const ChainKernel& chains_avx2() {
  static constexpr ChainKernel kernel{InstructionSet::avx2, lanes * vectors, run};
  return kernel;
}

}  // namespace detbench::arithmetic_rate
