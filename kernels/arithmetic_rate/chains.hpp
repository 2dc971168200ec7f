// The kernels behind fma_rate: chains enough side by side that no step waits for the one before it.
#pragma once

#include <cstdint>

#include "kernels/device/ordered_products.hpp"
#include "kernels/result.hpp"

namespace detbench::arithmetic_rate {

/// x <- x^2 - 1.9 keeps to [-1.9, 1.97] and settles nowhere: every step works on fresh mantissas, as real data has, so that
/// power and clocks are those of real work; and a step that is left out, or rounded twice, is another result.
inline constexpr float addend = -1.9f;

/// `chains` chains in registers.
struct ChainKernel {
  InstructionSet set;
  int chains;
  void (*run)(const float* source, float* target, std::int64_t steps);
};
const ChainKernel& chains_baseline();  ///< without FMA hardware: emulated, the same bits, no rate to speak of
const ChainKernel& chains_avx2();
const ChainKernel& chains_avx512();

/// The widest that this process may use.
const ChainKernel& widest_chains();
/// n chains in the OpenMP threads in force.
void run_chains(const ChainKernel& kernel, const float* source, float* target, std::int64_t n, std::int64_t steps);

/// Enqueued on CUDA, or the reason why not.
Status cuda_chains(const void* source, void* target, std::int64_t n, std::int64_t steps, void* native_stream);
Status cuda_present();

}  // namespace detbench::arithmetic_rate
