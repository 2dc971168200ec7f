// What contraction would change, seen in the numbers.
#include "tests/kernels/device/contraction/contraction_probe.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace detbench {
namespace {

// (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term is lost when the product is rounded, and all that a fused operation
// leaves when 1 + 2^-11 is taken away.
constexpr float a32 = 1.0f + 0x1p-12f, c32 = -(1.0f + 0x1p-11f);
constexpr double a64 = 1.0 + 0x1p-27, c64 = -(1.0 + 0x1p-26);

TEST(Contraction, BaselineCodeRoundsTwice) {
  EXPECT_EQ(contraction_probe_f32(a32, a32, c32), 0.0f);
  EXPECT_EQ(contraction_probe_f64(a64, a64, c64), 0.0);
}

TEST(Contraction, CodeForProcessorsWithFmaRoundsTwice) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx2"))
    GTEST_SKIP() << "this processor has no AVX2 and FMA";
#endif
  EXPECT_EQ(contraction_probe_f32_avx2(a32, a32, c32), 0.0f);
  EXPECT_EQ(contraction_probe_f64_avx2(a64, a64, c64), 0.0);
  float a[37], c[37];
  for (int i = 0; i < 37; ++i) a[i] = a32, c[i] = c32;
  contraction_probe_loop_avx2(a, a, c, 37);
  for (const float value : c) EXPECT_EQ(value, 0.0f);
  EXPECT_EQ(contraction_control_f32_avx2(a32, a32, c32), 0x1p-24f);
}

}  // namespace
}  // namespace detbench
