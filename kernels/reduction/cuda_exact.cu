// The order-independent sum on CUDA: the CPU's superaccumulator filled by integer atomics, with the CPU's windows
// (window.hpp) in front of it. A warp takes a window of 2048 elements at a time: each thread 16 loads of four, all in
// flight together.
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/reduction/window.hpp"

namespace detbench::reduction {
namespace {

/// Unsigned 64-bit addition wraps as two's complement does, so it adds signed amounts.
struct AtomicAdd {
  std::int64_t* slots;
  __device__ void operator()(int slot, std::int64_t amount) const {
    atomicAdd(reinterpret_cast<unsigned long long*>(slots + slot), static_cast<unsigned long long>(amount));
  }
};

template <class T>
__device__ __forceinline__ MagnitudeRange<T> join_over_warp(MagnitudeRange<T> range) {
  for (int distance = 16; distance > 0; distance /= 2) {
    MagnitudeRange<T> other;
    other.largest = __shfl_xor_sync(full_warp, range.largest, distance);
    other.smallest_less_one = __shfl_xor_sync(full_warp, range.smallest_less_one, distance);
    range.join(other);
  }
  return range;
}

/// Any order does here: the additions are exact.
__device__ __forceinline__ SlicedSum add_over_warp(SlicedSum sum) {
  for (int distance = 16; distance > 0; distance /= 2) {
    sum.high += __shfl_xor_sync(full_warp, sum.high, distance);
    sum.low += __shfl_xor_sync(full_warp, sum.low, distance);
  }
  return sum;
}

template <class T>
__device__ __forceinline__ T (&four_of(T (&values)[window_rows * 4], int row))[4] {
  return *reinterpret_cast<T(*)[4]>(values + row * 4);
}

template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads)
    add_windows(const T* __restrict__ x, std::int64_t n, std::int64_t* slots) {
  using Slots = Superaccumulator<T>;
  __shared__ std::int64_t block_slots[Slots::slots];
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads) block_slots[slot] = 0;
  __syncthreads();

  const AtomicAdd add{block_slots};
  const int lane = threadIdx.x % 32;
  const std::int64_t windows = (n + window_elements - 1) / window_elements;
  const std::int64_t warps = std::int64_t{gridDim.x} * (block_threads / 32);
  for (std::int64_t window = std::int64_t{blockIdx.x} * (block_threads / 32) + threadIdx.x / 32; window < windows;
       window += warps) {
    T values[window_rows * 4];
    const std::int64_t first = window * window_elements;
    if (first + window_elements <= n) {
#pragma unroll
      for (int row = 0; row < window_rows; ++row)
        load4<Wide>(x, first + window_element(lane, row), four_of(values, row));
    } else {
#pragma unroll
      for (int row = 0; row < window_rows; ++row)
        load4_at_end(x, first + window_element(lane, row), n, four_of(values, row));
    }
    MagnitudeRange<T> own;
#pragma unroll
    for (T value : values) own.observe(value);
    const MagnitudeRange<T> range = join_over_warp(own);
    const WindowFit fit = range.fit();  // the same in all 32 lanes

    bool other_than_negative_zero = !range.all_zero();
    if (range.all_zero()) {
#pragma unroll
      for (T value : values) other_than_negative_zero |= bits_of(value) == 0;
    } else if (fit != WindowFit::none) {
      const SlicedSum sum = add_over_warp(slice_share(values, fit, range.slicer()));
      if (lane == 0) deposit<T>(sum.high, add);
      if (lane == 1) deposit<T>(sum.low, add);
    } else {
#pragma unroll 1
      for (int row = 0; row < window_rows; ++row) {
        // Read again: rare, and indexing the registers by a run-time row would move them to memory for every window.
        T four[4];
        load4_at_end(x, first + window_element(lane, row), n, four);
#pragma unroll
        for (T value : four) deposit<T>(value, add);
      }
    }
    if (__any_sync(full_warp, other_than_negative_zero) && lane == 0) add(Slots::not_negative_zero_slot, 1);
  }

  __syncthreads();
  // Digits below 2^32 leave the joint slots room for 2^30 blocks.
  if (threadIdx.x == 0) carry_limbs(block_slots, Slots::limbs);
  __syncthreads();
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads)
    if (block_slots[slot] != 0) AtomicAdd{slots}(slot, block_slots[slot]);
}

template <class T>
__global__ void round_slots(std::int64_t* slots, T* sum) {
  *sum = rounded_sum<T>(slots);
}

template <class T>
Status order_independent(const SumCall<T>& call) {
  const auto grid = filling_grid((call.n + window_elements * 8 - 1) / (window_elements * 8));
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  auto* slots = static_cast<std::int64_t*>(call.workspace);
  if (auto status = checked(cudaMemsetAsync(slots, 0, sizeof(std::int64_t) * Superaccumulator<T>::slots, stream),
                            "cudaMemsetAsync");
      !status)
    return status;
  if (is_aligned_to_16(call.x))
    add_windows<T, true><<<*grid, block_threads, 0, stream>>>(call.x, call.n, slots);
  else
    add_windows<T, false><<<*grid, block_threads, 0, stream>>>(call.x, call.n, slots);
  if (auto status = launched("order_independent, windows"); !status) return status;
  round_slots<T><<<1, 1, 0, stream>>>(slots, call.sum);
  return launched("order_independent, rounding");
}

}  // namespace

TableRow cuda_order_independent_row() {
  return sum_row({"order_independent", claim_by_construction("exact integer sum, rounded once, the CPU's"),
                  order_independent<float>, order_independent<double>, superaccumulator_bytes});
}

}  // namespace detbench::reduction
