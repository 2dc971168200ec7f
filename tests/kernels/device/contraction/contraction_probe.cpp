#include "tests/kernels/device/contraction/contraction_probe.hpp"

#include <cmath>

#if defined(__x86_64__)
#define DETBENCH_PROBE_AVX2 __attribute__((target("avx2,fma")))
#else
#define DETBENCH_PROBE_AVX2
#endif

namespace detbench {

extern "C" float contraction_probe_f32(float a, float b, float c) { return a * b + c; }
extern "C" double contraction_probe_f64(double a, double b, double c) { return a * b + c; }
extern "C" DETBENCH_PROBE_AVX2 float contraction_probe_f32_avx2(float a, float b, float c) { return a * b + c; }
extern "C" DETBENCH_PROBE_AVX2 double contraction_probe_f64_avx2(double a, double b, double c) { return a * b + c; }
extern "C" DETBENCH_PROBE_AVX2 void contraction_probe_loop_avx2(const float* a, const float* b, float* c, int n) {
  for (int i = 0; i < n; ++i) c[i] += a[i] * b[i];
}
extern "C" DETBENCH_PROBE_AVX2 float contraction_control_f32_avx2(float a, float b, float c) {
  return std::fma(a, b, c);
}

}  // namespace detbench
