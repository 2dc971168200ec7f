// Exact sums at the speed of memory: the CPU's windows (window.hpp) in front of the CPU's superaccumulator. A warp takes a
// window of 2048 summands at a time. There is no order: every partial sum is exact, and integers join them.
//
// Why it can keep up with memory, f32: in the instructions of sm_90 a summand costs two and a half integer operations for its
// range (an and, half a maximum of three, a minimum that subtracts; 64 a cycle and multiprocessor), one conversion to double
// (16 a cycle) and one addition in double (64 a cycle), while 5.2 summands a cycle arrive: a third at most of what there is of
// each. A window's shuffles and two deposits are some 250 instructions a warp, beside 290 for its summands. A thread asks for 256 bytes at once; some 110 registers leave 512 threads
// on a multiprocessor, with 128 KiB in flight.
#include "kernels/reduction/cuda_exact_slots.hpp"
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_window.hpp"

namespace detbench::reduction {
namespace {

/// One thread's 64 summands of a window: held in registers where they need no more than 128 of them, read again from the caches
/// for products of f64.
template <class Source>
struct WindowShare {
  static constexpr bool is_held = sizeof(StoredFour<Source>) * window_rows <= 512;
  static constexpr int held_rows = is_held ? window_rows : 1;
  StoredFour<Source> held[held_rows];
  const Source& source;
  std::int64_t first, n;
  bool wide;

  __device__ __forceinline__ WindowShare(const Source& s, std::int64_t window_first, std::int64_t end, bool loads_wide)
      : source(s), first(window_first), n(end), wide(loads_wide && window_first + window_elements <= end) {
    if constexpr (is_held) load(0, held);
  }
  template <int Rows>
  __device__ __forceinline__ void load(int first_row, StoredFour<Source> (&fours)[Rows]) const {
    const int lane = threadIdx.x % 32;
    if (wide) {
#pragma unroll
      for (int row = 0; row < Rows; ++row) fours[row].load(source, first + window_element(lane, first_row + row));
    } else {
#pragma unroll
      for (int row = 0; row < Rows; ++row) fours[row].load_any(source, first + window_element(lane, first_row + row), n);
    }
  }
  /// visit(four, k) for each of the 64.
  template <class Visit>
  __device__ __forceinline__ void each(Visit&& visit) const {
    if constexpr (is_held) {
#pragma unroll
      for (int row = 0; row < window_rows; ++row)
#pragma unroll
        for (int k = 0; k < 4; ++k) visit(held[row], k);
    } else {
      constexpr int rows = 2;
#pragma unroll 1
      for (int row = 0; row < window_rows; row += rows) {
        StoredFour<Source> fours[rows];
        load(row, fours);
#pragma unroll
        for (int r = 0; r < rows; ++r)
#pragma unroll
          for (int k = 0; k < 4; ++k) visit(fours[r], k);
      }
    }
  }
};

template <class S>
__device__ __forceinline__ MagnitudeRange<S> join_over_warp(MagnitudeRange<S> range) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    MagnitudeRange<S> other;
    other.largest = __shfl_xor_sync(full_warp, range.largest, distance);
    other.smallest_less_one = __shfl_xor_sync(full_warp, range.smallest_less_one, distance);
    range.join(other);
  }
  return range;
}
template <class S>
__device__ __forceinline__ WindowRange<Elements<S>> join_over_warp(const WindowRange<Elements<S>>& range) {
  return {join_over_warp(range.x)};
}
template <class S>
__device__ __forceinline__ WindowRange<Products<S>> join_over_warp(const WindowRange<Products<S>>& range) {
  return {join_over_warp(range.x), join_over_warp(range.y)};
}

/// Any order does here: the additions are exact.
__device__ __forceinline__ SlicedSum add_over_warp(SlicedSum sum) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    sum.high += __shfl_xor_sync(full_warp, sum.high, distance);
    sum.low += __shfl_xor_sync(full_warp, sum.low, distance);
  }
  return sum;
}

template <class Source>
__global__ void __launch_bounds__(block_threads) add_windows(Source source, std::int64_t n, bool wide, std::int64_t* slots) {
  using R = register_of<Source>;
  using Slots = Superaccumulator<R>;
  __shared__ std::int64_t block_slots[Slots::slots];
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads) block_slots[slot] = 0;
  __syncthreads();

  const AtomicAddToSlot add{block_slots};
  const int lane = threadIdx.x % 32;
  const std::int64_t windows = (n + window_elements - 1) / window_elements;
  const std::int64_t warps = std::int64_t{gridDim.x} * (block_threads / 32);
  for (std::int64_t window = std::int64_t{blockIdx.x} * (block_threads / 32) + threadIdx.x / 32; window < windows;
       window += warps) {
    const WindowShare<Source> share(source, window * window_elements, n, wide);
    WindowRange<Source> own;
    share.each([&](const auto& four, int k) { observe_four(own, four, k); });
    const WindowRange<Source> range = join_over_warp(own);
    const WindowFit fit = window_fit(range);  // the same in all 32 lanes

    SlicedSum sum, lost;
    if (fit != WindowFit::none && !range.all_zero()) {
      sum_share<Source>([&](auto&& visit) { share.each(visit); }, fit, window_slicer(range), sum, lost);
      sum = add_over_warp(sum);
      if constexpr (!has_wide<Source> && Source::is_product) lost = add_over_warp(lost);
      // Every lane has the warp's sums; as many lanes deposit them at once.
      if (lane < 2) deposit<R>(lane == 0 ? sum.high : sum.low, add);
      if constexpr (!has_wide<Source> && Source::is_product)
        if (lane < 2) deposit<R>(lane == 0 ? lost.high : lost.low, add);
    }
    // A sum other than 0 has a summand other than -0.0. Else every summand is looked at, and added by itself where the window
    // did not fit. They are read again: rare, and indexing registers by a run-time row would move them to memory for every
    // window.
    bool other_than_negative_zero = sum.high != 0 || sum.low != 0 || lost.high != 0 || lost.low != 0;
    if (!other_than_negative_zero) {
#pragma unroll 1
      for (int row = 0; row < window_rows; ++row)
#pragma unroll 1
        for (int k = 0; k < 4; ++k) {
          const std::int64_t i = window * window_elements + window_element(lane, row) + k;
          if (i >= n) break;
          const auto add_where_none_fits = [&](int slot, std::int64_t amount) {
            if (fit == WindowFit::none) add(slot, amount);
          };
          other_than_negative_zero |= deposit_summand(source, i, add_where_none_fits);
        }
    }
    if (__any_sync(full_warp, other_than_negative_zero) && lane == 0) add(Slots::not_negative_zero_slot, 1);
  }
  join_block_slots<R>(block_slots, slots);
}

struct ExactWindow {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    const auto grid = filling_grid((call.n + window_elements * 8 - 1) / (window_elements * 8));
    if (!grid) return tl::unexpected(grid.error());
    return sum_in_slots(call, "exact_window", [&](std::int64_t* slots, cudaStream_t stream) {
      add_windows<<<*grid, block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), slots);
    });
  }
};

}  // namespace

TableRow cuda_exact_window_row() {
  auto algorithm = sum_algorithm<ExactWindow>("exact_window", claim_by_construction("exact sum, rounded once"));
  algorithm.workspace_bytes = superaccumulator_bytes;
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
