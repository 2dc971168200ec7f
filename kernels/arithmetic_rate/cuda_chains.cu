// Four chains a thread, so that already four warps of a scheduler keep it issuing one fused multiply-add every cycle.
#include <cuda_runtime.h>

#include "kernels/arithmetic_rate/chains.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench::arithmetic_rate {
namespace {

// Small blocks: what a multiprocessor waits for at the end is at most one of them, less than 1 % of a launch of thousands.
constexpr int block_threads = 128, thread_chains = 4, block_chains = block_threads * thread_chains;
constexpr int unrolled_steps = 32;  ///< 128 multiply-adds for each step of the loop's counter

__global__ void __launch_bounds__(block_threads) run_steps(const float* __restrict__ source, float* __restrict__ target, std::int64_t n, int steps) {
  const std::int64_t first = std::int64_t{blockIdx.x} * block_chains + threadIdx.x;
  float x[thread_chains];
#pragma unroll
  for (int chain = 0; chain < thread_chains; ++chain) {
    const std::int64_t at = first + chain * block_threads;
    x[chain] = at < n ? source[at] : 0.0f;
  }
  int step = 0;
  for (; step + unrolled_steps <= steps; step += unrolled_steps)
#pragma unroll
    for (int s = 0; s < unrolled_steps; ++s)
#pragma unroll
      for (int chain = 0; chain < thread_chains; ++chain) x[chain] = __fmaf_rn(x[chain], x[chain], addend);
#pragma unroll 1
  for (; step < steps; ++step)
#pragma unroll
    for (int chain = 0; chain < thread_chains; ++chain) x[chain] = __fmaf_rn(x[chain], x[chain], addend);
#pragma unroll
  for (int chain = 0; chain < thread_chains; ++chain) {
    const std::int64_t at = first + chain * block_threads;
    if (at < n) target[at] = x[chain];
  }
}

}  // namespace

Status cuda_present() { return {}; }

Status cuda_chains(const void* source, void* target, std::int64_t n, std::int64_t steps, void* native_stream) {
  const auto blocks = static_cast<unsigned>((n + block_chains - 1) / block_chains);
  run_steps<<<blocks, block_threads, 0, static_cast<cudaStream_t>(native_stream)>>>(static_cast<const float*>(source), static_cast<float*>(target), n,
                                                                                    static_cast<int>(steps));
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench::arithmetic_rate
