// The plain exact sum: every summand goes into a superaccumulator by itself, whatever the exponents. Integers have no order.
//
// A thread has a superaccumulator of its own in shared memory, slot s of thread t at place s * threads + t, so that the threads
// of a warp meet in no bank and need no atomics: 32 lanes that add to one limb by 64-bit atomics would wait for each other 32
// times. As many threads make a block as find room in 48 KiB: 256 for f32, 128 for its products, 64 for f64, 32
// for its products. Some 30
// instructions for a summand bound it, not memory.
#include "kernels/reduction/cuda_exact_slots.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
DETBENCH_HOST_DEVICE constexpr int threads_of_block() {
  constexpr int bytes = Superaccumulator<register_of<Source>>::slots * 8;
  int threads = block_threads;
  // The block's own slots need room beside the threads'.
  while (bytes * (threads + 1) > 48 * 1024) threads /= 2;
  return threads;
}

template <class Source>
__global__ void __launch_bounds__(threads_of_block<Source>())
    add_each_exactly(Source source, std::int64_t n, std::int64_t* slots) {
  using R = register_of<Source>;
  using Slots = Superaccumulator<R>;
  constexpr int threads = threads_of_block<Source>();
  __shared__ std::int64_t thread_slots[Slots::slots * threads];
  __shared__ std::int64_t block_slots[Slots::slots];
  std::int64_t* const mine = thread_slots + threadIdx.x;
  for (int slot = 0; slot < Slots::slots; ++slot) mine[slot * threads] = 0;

  const auto add = [mine](int slot, std::int64_t amount) { mine[slot * threads] += amount; };
  bool other_than_negative_zero = false;
  const std::int64_t step = std::int64_t{gridDim.x} * threads;
#pragma unroll 4
  for (std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < n; i += step)
    other_than_negative_zero |= deposit_summand(source, i, add);
  if (other_than_negative_zero) mine[Slots::not_negative_zero_slot * threads] = 1;

  // A limb grows by less than 2^32 a deposit. Of 2^34 summands a block of 64 or more takes 2^28, two deposits each: below 2^61.
  __syncthreads();
  for (int slot = threadIdx.x; slot < Slots::slots; slot += threads) {
    std::int64_t total = 0;
    for (int thread = 0; thread < threads; ++thread) total += thread_slots[slot * threads + (thread + slot) % threads];
    block_slots[slot] = total;
  }
  join_block_slots<R>(block_slots, slots);
}

struct EachExactly {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    constexpr int threads = threads_of_block<Source>();
    const auto grid = filling_grid((call.n + 16 * threads - 1) / (16 * threads));
    if (!grid) return tl::unexpected(grid.error());
    return sum_in_slots(call, "superaccumulator", [&](std::int64_t* slots, cudaStream_t stream) {
      add_each_exactly<<<*grid, threads, 0, stream>>>(call.source, call.n, slots);
    });
  }
};

}  // namespace

TableRow cuda_superaccumulator_row() {
  auto algorithm = sum_algorithm<EachExactly>("superaccumulator", claim_by_construction("exact sum, rounded once"));
  algorithm.workspace_bytes = superaccumulator_bytes;
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
