#include <immintrin.h>

#include "kernels/arithmetic_rate/chains.hpp"

// From here on everything is compiled for AVX-512; the headers above were not, so no inline function of theirs can leak
// such instructions into the rest of the program.
#pragma GCC target("avx512f,avx512vl,avx2,fma")

namespace detbench::arithmetic_rate {
namespace {

using V = __m512;
// 12 in flight, as in chains_avx2.cpp: latency and throughput are the same.
constexpr int lanes = 16, vectors = 12;

inline V broadcast(float x) { return _mm512_set1_ps(x); }
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }

#include "kernels/arithmetic_rate/chains_kernel.inl"

}  // namespace

const ChainKernel& chains_avx512() {
  static constexpr ChainKernel kernel{InstructionSet::avx512, lanes * vectors, run};
  return kernel;
}

}  // namespace detbench::arithmetic_rate
