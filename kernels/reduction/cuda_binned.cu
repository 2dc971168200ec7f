// The binned sum on CUDA (binned_sum.hpp): lanes in registers, emptied into a block's bins in shared memory and from there into
// those of the workspace, all by integer atomics. Neither the order of the summands nor that of the blocks can be seen in the
// bits, and the CPU's bins come out the same.
//
// A warp keeps one top bin. It takes a batch of summands, finds the largest magnitude of the batch with one reduction over the
// warp, and empties its lanes before they would overflow or need a larger top bin, which in ordinary data happens once. Fourteen
// operations for a summand (a scaling, a maximum, three times an or and three additions): 73 of a multiprocessor's 128 a
// cycle where 5.2 summands of f32 arrive, 145 where 10.4 of 16 bits do, so the latter are bound by arithmetic.
#include "kernels/reduction/binned_sum.hpp"
#include "kernels/reduction/cuda_exact_slots.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

/// Sign off, and of a double the upper word: enough to tell exponents, infinities and NaN by.
__device__ __forceinline__ std::uint32_t magnitude_word(float value) { return bits_of(value) & 0x7FFFFFFFu; }
__device__ __forceinline__ std::uint32_t magnitude_word(double value) {
  return static_cast<std::uint32_t>(bits_of(value) >> 32) & 0x7FFFFFFFu;
}
template <class A>
__device__ __forceinline__ A from_magnitude_word(std::uint32_t word) {
  return value_of<A>(static_cast<typename FloatFormat<A>::Bits>(word) << (sizeof(A) * 8 - 32));
}
/// The word of an exponent, biased; those that do not exist become infinity's.
template <class A>
__device__ __forceinline__ std::uint32_t word_of_exponent(int biased) {
  constexpr int beyond = (1 << FloatFormat<A>::exponent_bits) - 1;
  return static_cast<std::uint32_t>(biased < beyond ? biased : beyond) << (31 - FloatFormat<A>::exponent_bits);
}

/// A thread's lane and what the warp has agreed on.
template <class A>
struct WarpBins {
  BinnedLane<A> lane;
  int top, deposits = 0;
  A scale;
  std::uint32_t limit;  ///< magnitude words from here on need a larger top bin

  __device__ __forceinline__ explicit WarpBins(int first_top) { set_top(first_top); }
  __device__ __forceinline__ void set_top(int new_top) {
    top = new_top;
    scale = bin_scale<A>(top);
    limit = word_of_exponent<A>(bin_unit<A>(top) + BinGrid<A>::width - 1 + FloatFormat<A>::bias);
  }
  /// By all threads of the warp. What 32 lanes have grown by has 26 bits for f32 and 55 for f64.
  __device__ void empty(const AtomicAddToSlot& add) {
    if (deposits == 0) return;
#pragma unroll
    for (int k = 0; k < kept_bins; ++k) {
      std::int64_t units;
      if constexpr (sizeof(A) == 4) {
        units = __reduce_add_sync(full_warp, static_cast<int>(lane.growth(k)));
      } else {
        units = static_cast<std::int64_t>(lane.growth(k));
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) units += __shfl_xor_sync(full_warp, units, distance);
      }
      if (threadIdx.x % 32 == 0) add_units<A>(top, k, units, add);
    }
    if (threadIdx.x % 32 == 0) mark_top<A>(top, add);
    lane = {};
    deposits = 0;
  }
};

// Summand k of a four as the lanes take it: one value, or two for products of f64.
template <class Source>
inline constexpr int deposits_per_summand = !has_wide<Source> && Source::is_product ? 2 : 1;
template <class Source, class A>
__device__ __forceinline__ void binned_values(const StoredFour<Source>& four, int k, A* values) {
  if constexpr (deposits_per_summand<Source> == 2) {
    const TwoTerms product = product_of(four.x[k], four.y[k]);
    values[0] = product.high, values[1] = product.low;
  } else if constexpr (Source::is_product) {
    values[0] = four.template summand<WideLane>(k);
  } else {
    values[0] = four.template summand<PlainLane<A>>(k);
  }
}

/// One value by itself, for batches with an infinity or a NaN.
template <class A>
__device__ void deposit_alone(A value, const AtomicAddToSlot& add) {
  if (!(value - value == 0)) return count_special<A>(value, add);
  const int top = top_bin<A>(value);
  BinnedLane<A> lane;
  lane.deposit(value * bin_scale<A>(top));
  for (int k = 0; k < kept_bins; ++k) add_growth<A>(top, k, lane.growth(k), add);
  mark_top<A>(top, add);
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
  const std::uint32_t infinity = word_of_exponent<A>(1 << FloatFormat<A>::exponent_bits);
  WarpBins<A> bins(BinGrid<A>::top_bins - 1);
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

    // The word of a double below 2^-1042 is 0 like that of zero. A batch of nothing else is looked at one by one, as one with an
    // infinity or a NaN is.
    if (largest == 0 || largest >= infinity) {
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
          for (int d = 0; d < per_summand; ++d) deposit_alone<A>(alone[d], add);
        }
      if (__any_sync(full_warp, other_than_negative_zero) && lane == 0) add(Slots::not_negative_zero_slot, 1);
      continue;
    }
    if (lane == 0) add(Slots::not_negative_zero_slot, 1);
    const bool is_larger = largest >= bins.limit;
    if (is_larger || bins.deposits + count > deposits_before_emptying<A>) bins.empty(add);
    if (is_larger) bins.set_top(top_bin<A>(from_magnitude_word<A>(largest)));
#pragma unroll
    for (int i = 0; i < count; ++i) bins.lane.deposit(values[i] * bins.scale);
    bins.deposits += count;
  }
  bins.empty(add);
  __syncthreads();
  for (int slot = threadIdx.x; slot < Slots::slots; slot += block_threads)
    if (block_slots[slot] != 0) AtomicAddToSlot{slots}(slot, block_slots[slot]);
}

template <class A, class Sum>
__global__ void round_bins(const std::int64_t* slots, Sum* sum) {
  *sum = rounded_bins<A, Sum>(slots);
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
    round_bins<A><<<1, 1, 0, stream>>>(slots, call.sum);
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
