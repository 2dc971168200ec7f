// Compiled to PTX with the project's flags; check_ptx.cmake reads it.
extern "C" __global__ void contraction_probe(const float* a, const float* b, float* c, const double* d, const double* e,
                                             double* f) {
  const int i = threadIdx.x;
  c[i] = a[i] * b[i] + c[i];
  f[i] = d[i] * e[i] + f[i];
}
extern "C" __global__ void division_probe(const float* a, float* b) {
  const int i = threadIdx.x;
  b[i] = sqrtf(a[i]) / b[i];
}
/// Fused by name: shows that the check would see the instruction.
extern "C" __global__ void contraction_control(const float* a, const float* b, float* c) {
  const int i = threadIdx.x;
  c[i] = fmaf(a[i], b[i], c[i]);
}
