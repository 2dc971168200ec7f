#include "kernels/arithmetic_rate/chains.hpp"
#include "kernels/device/soft_fma.hpp"

namespace detbench::arithmetic_rate {
namespace {

struct V {
  float lane[4];
};
constexpr int lanes = 4, vectors = 2;

inline V broadcast(float x) { return {{x, x, x, x}}; }
inline V load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
inline void store(float* p, V v) {
  for (int i = 0; i < lanes; ++i) p[i] = v.lane[i];
}
inline V fma(V a, V b, V c) {
  for (int i = 0; i < lanes; ++i) c.lane[i] = soft_fma(a.lane[i], b.lane[i], c.lane[i]);
  return c;
}

#include "kernels/arithmetic_rate/chains_kernel.inl"

}  // namespace

const ChainKernel& chains_baseline() {
  static constexpr ChainKernel kernel{InstructionSet::baseline, lanes * vectors, run};
  return kernel;
}

}  // namespace detbench::arithmetic_rate
