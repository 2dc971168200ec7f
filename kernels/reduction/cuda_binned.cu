// The binned sum on CUDA (binned_sum.hpp): lanes in registers, emptied into a block's bins in shared memory and from there into
// those of the workspace, all by integer atomics. Neither the order of the summands nor that of the blocks can be seen in the
// bits, and the CPU's bins come out the same.
//
// A warp keeps one top bin. It takes a batch of summands, finds the largest magnitude of the batch with one reduction over the
// warp, and empties its lanes before they would overflow or need a larger top bin, which in ordinary data happens once. Fourteen
// operations for a summand (a scaling, a maximum, three times an or and three additions): 73 of a multiprocessor's 128 a
// cycle where 5.2 summands of f32 arrive, 145 where 10.4 of 16 bits do, so the latter are bound by arithmetic.
#include "kernels/reduction/cuda_bins.hpp"
#include "kernels/reduction/cuda_exact_slots.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

/// By all threads of a warp. What 32 lanes have grown by has 26 bits for f32 and 55 for f64.
template <class A>
__device__ void empty(ThreadBins<A>& bins, const AtomicAddToSlot& add) {
  if (bins.deposits == 0) return;
#pragma unroll
  for (int k = 0; k < kept_bins; ++k) {
    std::int64_t units;
    if constexpr (sizeof(A) == 4) {
      units = __reduce_add_sync(full_warp, static_cast<int>(bins.lane.growth(k)));
    } else {
      units = static_cast<std::int64_t>(bins.lane.growth(k));
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) units += __shfl_xor_sync(full_warp, units, distance);
    }
    if (threadIdx.x % 32 == 0) add_units<A>(bins.top, k, units, add);
  }
  if (threadIdx.x % 32 == 0) mark_top<A>(bins.top, add);
  bins.lane = {};
  bins.deposits = 0;
}

template <class Source>
__global__ void __launch_bounds__(block_threads) add_to_bins(Source source, std::int64_t n, bool wide, std::int64_t* slots) {
  using A = binned_type<Source>;
  using Slots = BinnedSlots<A>;
  constexpr int fours = fours_in_flight<Source>, per_summand = deposits_per_summand<Source>, count = fours * 4 * per_summand;
  static_assert(count <= deposits_before_emptying<A>);
  constexpr std::int64_t batch_elements = std::int64_t{fours} * 4 * 32;
  __shared__ std::int64_t block_slots[Slots::slots];
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads) block_slots[slot] = 0;
  __syncthreads();

  const AtomicAddToSlot add{block_slots};
  const int lane = threadIdx.x % 32;
  ThreadBins<A> bins;
  const std::int64_t step = std::int64_t{gridDim.x} * (block_threads / 32) * batch_elements;
  for (std::int64_t first = (std::int64_t{blockIdx.x} * (block_threads / 32) + threadIdx.x / 32) * batch_elements; first < n;
       first += step) {
    StoredFour<Source> stored[fours];
    if (wide && first + batch_elements <= n) {
#pragma unroll
      for (int row = 0; row < fours; ++row) stored[row].load(source, first + row * 128 + lane * 4);
    } else {
#pragma unroll
      for (int row = 0; row < fours; ++row) stored[row].load_any(source, first + row * 128 + lane * 4, n);
    }
    A values[count];
    std::uint32_t largest = 0;
#pragma unroll
    for (int i = 0; i < fours * 4; ++i) {
      binned_values<Source>(stored[i / 4], i % 4, values + i * per_summand);
      // What a product lost is smaller than the product.
      const std::uint32_t word = magnitude_word(values[i * per_summand]);
      largest = word > largest ? word : largest;
    }
    largest = __reduce_max_sync(full_warp, largest);

    if (goes_one_by_one<A>(largest)) {
      bool other_than_negative_zero = false;
#pragma unroll 1
      for (int row = 0; row < fours; ++row)
#pragma unroll 1
        for (int k = 0; k < 4; ++k) {
          const std::int64_t i = first + row * 128 + lane * 4 + k;
          if (i >= n) break;
          StoredFour<Source> one;
          one.load_any(source, i, i + 1);
          A alone[per_summand];
          binned_values<Source>(one, 0, alone);
          other_than_negative_zero |= bits_of(alone[0]) != bits_of(-A(0));
#pragma unroll
          for (int d = 0; d < per_summand; ++d)
            if (largest != 0) deposit_alone<A>(alone[d], add);
        }
      if (__any_sync(full_warp, other_than_negative_zero) && lane == 0) add(Slots::not_negative_zero_slot, 1);
      if (largest != 0) continue;
    } else if (lane == 0) {
      add(Slots::not_negative_zero_slot, 1);
    }
    if (bins.must_be_emptied(largest, count)) empty(bins, add);
    bins.raise_top(largest);
    bins.deposit(values);
  }
  empty(bins, add);
  __syncthreads();
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads)
    if (block_slots[slot] != 0) AtomicAddToSlot{slots}(slot, block_slots[slot]);
}

/// As round_slots().
template <class A, class Sum>
__global__ void __launch_bounds__(rounding_threads) round_bins(const std::int64_t* slots, Sum* sum) {
  __shared__ std::int64_t near[BinnedSlots<A>::slots];
  for (int slot = threadIdx.x; slot < BinnedSlots<A>::slots; slot += rounding_threads) near[slot] = slots[slot];
  __syncthreads();
  if (threadIdx.x == 0) *sum = rounded_bins<A, Sum>(near);
}

struct Binned {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = binned_type<Source>;
    const auto grid = filling_grid((call.n + 4096 * 4 - 1) / (4096 * 4));
    if (!grid) return tl::unexpected(grid.error());
    const auto stream = static_cast<cudaStream_t>(call.stream);
    auto* slots = static_cast<std::int64_t*>(call.workspace);
    if (auto status = checked(cudaMemsetAsync(slots, 0, sizeof(std::int64_t) * BinnedSlots<A>::slots, stream), "cudaMemsetAsync"); !status)
      return status;
    add_to_bins<<<*grid, block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), slots);
    if (auto status = launched("binned, bins"); !status) return status;
    round_bins<A><<<1, rounding_threads, 0, stream>>>(slots, call.sum);
    return launched("binned, rounding");
  }
};

}  // namespace

TableRow cuda_binned_row() {
  auto algorithm = sum_algorithm<Binned>("binned", claim_by_construction("three bins of exponents, their sums exact, rounded once"));
  algorithm.workspace_bytes = binned_bytes;
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
