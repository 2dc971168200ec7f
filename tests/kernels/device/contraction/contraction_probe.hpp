// Functions whose code shows what the compiler makes of a * b + c under the project's flags (METHOD section 10).
#pragma once

namespace detbench {

/// a * b + c, written plainly. Under the flags it must be rounded twice.
extern "C" float contraction_probe_f32(float a, float b, float c);
extern "C" double contraction_probe_f64(double a, double b, double c);
/// The same on processors with AVX2 and FMA, where a compiler that contracts has the instruction to do so.
extern "C" float contraction_probe_f32_avx2(float a, float b, float c);
extern "C" double contraction_probe_f64_avx2(double a, double b, double c);
extern "C" void contraction_probe_loop_avx2(const float* a, const float* b, float* c, int n);
/// Fused by name: shows that the check would see the instruction.
extern "C" float contraction_control_f32_avx2(float a, float b, float c);

}  // namespace detbench
