// One atomic addition per type, nothing else: what nvcc makes of these is what it makes of the kernels' own. The build
// compiles this file to PTX for several architectures and reads it (atomic_lowering.hpp); the kernels in the binary are
// what scripts/gpu_check.sh disassembles. Light headers only, because every architecture costs a compilation.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" {

__global__ void detbench_atomic_add_f32(float* target, float value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_f64(double* target, double value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_f16(__half* target, __half value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_f16x2(__half2* target, __half2 value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_bf16(__nv_bfloat16* target, __nv_bfloat16 value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_bf16x2(__nv_bfloat162* target, __nv_bfloat162 value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_i32(int* target, int value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_u32(unsigned* target, unsigned value) { atomicAdd(target, value); }
__global__ void detbench_atomic_add_u64(unsigned long long* target, unsigned long long value) { atomicAdd(target, value); }

/// The PTX version (as 90) that the probe on the current GPU was made from; 0: the runtime does not say.
int detbench_atomic_probe_ptx_version() {
  cudaFuncAttributes attributes;
  if (cudaFuncGetAttributes(&attributes, detbench_atomic_add_f32) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return attributes.ptxVersion;
}
}
