// The order-independent segmented sum on CUDA: the CPU's superaccumulator in each segment, filled by integer atomics in shared
// memory, a warp a chunk; chunks of long segments join by integer atomics in memory. Chunks whose exponents lie close together
// take the CPU's way through doubles (kernels/reduction/window.hpp), which is as exact.
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/reduction/window.hpp"
#include "kernels/segmented_sum/cuda_kernels.hpp"

namespace detbench::segmented_sum {
namespace {

/// Unsigned 64-bit addition wraps as two's complement does, so it adds signed amounts.
struct AtomicAdd {
  std::int64_t* slots;
  __device__ void operator()(int slot, std::int64_t amount) const {
    atomicAdd(reinterpret_cast<unsigned long long*>(slots + slot), static_cast<unsigned long long>(amount));
  }
};

template <class Range>
__device__ __forceinline__ Range join_over_warp(Range range) {
  using Bits = decltype(range.x.largest);
  using Word = std::conditional_t<sizeof(Bits) == 8, unsigned long long, unsigned>;  // what shuffles take
  for (int distance = 16; distance > 0; distance /= 2) {
    Range other;
    other.x.largest = static_cast<Bits>(__shfl_xor_sync(reduction::full_warp, static_cast<Word>(range.x.largest), distance));
    other.x.smallest_less_one = static_cast<Bits>(__shfl_xor_sync(reduction::full_warp, static_cast<Word>(range.x.smallest_less_one), distance));
    range.join(other);
  }
  return range;
}

/// Adds at most one chunk to the warp's slots. Zeros touch nothing: a segment's sum begins as +0 anyway.
template <class S>
__device__ __forceinline__ void deposit_chunk(const S* __restrict__ x, std::int64_t n, std::int64_t* slots) {
  using Sum = typename Call<S>::Sum;
  using Source = reduction::Elements<S>;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  reduction::WindowRange<Source> own;
  for (std::int64_t i = lane; i < n; i += 32) own.observe(x[i]);
  const auto range = join_over_warp(own);
  const reduction::WindowFit fit = reduction::window_fit(range);  // the same in all lanes
  if (range.all_zero()) return;
  if (fit == reduction::WindowFit::none) {
    for (std::int64_t i = lane; i < n; i += 32) reduction::deposit<Sum>(reduction::widened(x[i]), AtomicAdd{slots});
    return;
  }
  // Sliced in any case: what fits the narrow bound fits this one.
  const double slicer = reduction::window_slicer(range);
  reduction::SlicedSum sum;
  for (std::int64_t i = lane; i < n; i += 32) sum.add(static_cast<double>(reduction::widened(x[i])), slicer);
  for (int distance = 16; distance > 0; distance /= 2) {  // exact, in any order
    sum.high += __shfl_xor_sync(reduction::full_warp, sum.high, distance);
    sum.low += __shfl_xor_sync(reduction::full_warp, sum.low, distance);
  }
  if (lane == 0) reduction::deposit<Sum>(sum.high, AtomicAdd{slots});
  if (lane == 1) reduction::deposit<Sum>(sum.low, AtomicAdd{slots});
}

template <class Sum>
__device__ __forceinline__ Sum rounded_segment(std::int64_t* slots) {
  slots[reduction::Superaccumulator<Sum>::not_negative_zero_slot] = 1;  // the +0 that every segment begins with
  return reduction::rounded_sum<Sum>(slots);
}

template <class S>
__global__ void __launch_bounds__(block_threads)
    add_windows(const S* __restrict__ x, Segments segments, typename Call<S>::Sum* __restrict__ out, std::int64_t* __restrict__ shared) {
  using Sum = typename Call<S>::Sum;
  using Slots = reduction::Superaccumulator<Sum>;
  __shared__ std::int64_t of_warps[block_warps][Slots::slots];
  std::int64_t* slots = of_warps[threadIdx.x / 32];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto add_up = [&](std::int64_t begin, std::int64_t length) {
    for (int slot = lane; slot < Slots::slots; slot += 32) slots[slot] = 0;
    __syncwarp();
    deposit_chunk(x + begin, length, slots);
    __syncwarp();
  };
  const Windows windows{segments.n, cuda_window};
  for_windows_of_warp(windows, [&](std::int64_t window) {
    visit_window(
        segments, windows, window,
        [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
          add_up(begin, length);
          if (lane == 0) out[s] = rounded_segment<Sum>(slots);
          __syncwarp();
        },
        [&](std::int64_t, std::int64_t, std::int64_t begin, std::int64_t length, std::int64_t first_window) {
          add_up(begin, length);
          // Digits below 2^32 leave the joint slots room for 2^30 chunks.
          if (lane == 0) reduction::carry_limbs(slots, Slots::limbs);
          __syncwarp();
          for (int slot = lane; slot < Slots::slots; slot += 32)
            if (slots[slot] != 0) AtomicAdd{shared + first_window * Slots::slots}(slot, slots[slot]);
          __syncwarp();
        });
  });
}

template <class Sum>
__global__ void __launch_bounds__(block_threads) round_long(Segments segments, std::int64_t* __restrict__ shared, Sum* __restrict__ out) {
  const Windows windows{segments.n, cuda_window};
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t window = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; window < windows.count(); window += step) {
    const std::int64_t s = long_segment_of(segments, windows, window);
    if (s >= 0) out[s] = rounded_segment<Sum>(shared + window * reduction::Superaccumulator<Sum>::slots);
  }
}

std::size_t accumulator_bytes(std::int64_t n, DataType accumulator) {
  const auto slots = accumulator == DataType::f64 ? reduction::Superaccumulator<double>::slots : reduction::Superaccumulator<float>::slots;
  return sizeof(std::int64_t) * static_cast<std::size_t>(slots * Windows{n, cuda_window}.count());
}

struct Exact {
  template <class S>
  static Status run(const Call<S>& call) {
    using Sum = typename Call<S>::Sum;
    const Windows windows{call.segments.n, cuda_window};
    const auto grid = grid_for_windows(windows);
    if (!grid) return tl::unexpected(grid.error());
    const cudaStream_t stream = stream_of(call.stream);
    auto* shared = static_cast<std::int64_t*>(call.workspace);
    const std::size_t bytes = accumulator_bytes(call.segments.n, sizeof(Sum) == 8 ? DataType::f64 : DataType::f32);
    if (auto s = checked(cudaMemsetAsync(shared, 0, bytes, stream), "cudaMemsetAsync"); !s) return s;
    add_windows<S><<<*grid, block_threads, 0, stream>>>(call.x, call.segments, call.out, shared);
    if (auto s = launched("exact_window, windows"); !s) return s;
    const auto round_grid = reduction::filling_grid((windows.count() + block_threads - 1) / block_threads);
    if (!round_grid) return tl::unexpected(round_grid.error());
    round_long<Sum><<<*round_grid, block_threads, 0, stream>>>(call.segments, shared, call.out);
    return launched("exact_window, rounding");
  }
};

}  // namespace

Result<SimplePlanParts> cuda_exact_window(const SegmentedProblem& problem) {
  return cuda_parts<Exact>(problem, accumulator_bytes(problem.n, problem.accumulator));
}

}  // namespace detbench::segmented_sum
