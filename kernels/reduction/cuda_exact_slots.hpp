// Superaccumulators on CUDA: a block's own in shared memory, joined to the one in the workspace by integer atomics, and
// rounded by one thread at the end. Integer addition has no order, so nothing of that can reach the bits. Included by .cu
// files alone.
#pragma once

#include "kernels/reduction/cuda_summands.hpp"
#include "kernels/reduction/sum_problem.hpp"
#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {

/// Unsigned 64-bit addition wraps as two's complement does, so it adds signed amounts.
struct AtomicAddToSlot {
  std::int64_t* slots;
  __device__ void operator()(int slot, std::int64_t amount) const {
    atomicAdd(reinterpret_cast<unsigned long long*>(slots + slot), static_cast<unsigned long long>(amount));
  }
};

/// Ends a block: carries move first, because digits below 2^32 leave the joint slots room for 2^30 blocks. To be called by
/// all threads, which have made their last addition to the block's slots.
template <class R>
__device__ void join_block_slots(std::int64_t* block_slots, std::int64_t* slots) {
  using Slots = Superaccumulator<R>;
  __syncthreads();
  if (threadIdx.x == 0) carry_limbs(block_slots, Slots::limbs);
  __syncthreads();
  for (int slot = threadIdx.x; slot < Slots::slots; slot += blockDim.x)
    if (block_slots[slot] != 0) AtomicAddToSlot{slots}(slot, block_slots[slot]);
}

inline constexpr int rounding_threads = 128;

/// One block. The slots come to shared memory all at once: what rounds them goes from one to the next, and would wait for L2 at
/// every step.
template <class R>
__global__ void __launch_bounds__(rounding_threads) round_slots(const std::int64_t* slots, typename Superaccumulator<R>::Rounded* sum) {
  __shared__ std::int64_t near[Superaccumulator<R>::slots];
  for (int slot = threadIdx.x; slot < Superaccumulator<R>::slots; slot += rounding_threads) near[slot] = slots[slot];
  __syncthreads();
  if (threadIdx.x == 0) *sum = rounded_sum<R>(near);
}

/// Empties the slots in the workspace, lets launch(slots, stream) fill them, and rounds them.
template <class Source, class Launch>
Status sum_in_slots(const SumCall<Source>& call, const char* name, Launch&& launch) {
  using R = register_of<Source>;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  auto* slots = static_cast<std::int64_t*>(call.workspace);
  if (auto status = checked(cudaMemsetAsync(slots, 0, sizeof(std::int64_t) * Superaccumulator<R>::slots, stream), "cudaMemsetAsync");
      !status)
    return status;
  launch(slots, stream);
  if (auto status = launched(name); !status) return status;
  round_slots<R><<<1, rounding_threads, 0, stream>>>(slots, call.sum);
  return launched("rounding of an exact sum");
}

}  // namespace detbench::reduction
