// Order-independent sums on CUDA: integer atomics into the CPU's integers (superaccumulator.hpp, fixed_point.hpp), whose
// order cannot show, rounded by the CPU's functions.
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/scatter_add/cuda_updates.hpp"
#include "kernels/scatter_add/fixed_point.hpp"

namespace detbench::scatter_add {
namespace {

/// Unsigned 64-bit addition wraps as two's complement does, so it adds signed amounts.
__device__ __forceinline__ void add_integer(std::int64_t* target, std::int64_t amount) {
  atomicAdd(reinterpret_cast<unsigned long long*>(target), static_cast<unsigned long long>(amount));
}

template <class T>
__global__ void __launch_bounds__(block_threads) deposit_each_value(ScatterCall call, std::int64_t* accumulators) {
  for (std::int64_t i = first_of_grid(); i < call.n * call.width; i += step_of_grid()) {
    std::int64_t* slots = accumulators + output_of(call, i) * reduction::Superaccumulator<T>::slots;
    reduction::deposit<T>(value_at<T>(call, i), [slots](int slot, std::int64_t amount) { add_integer(slots + slot, amount); });
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads) round_bins(ScatterCall call, std::int64_t* accumulators) {
  using Slots = reduction::Superaccumulator<T>;
  for (std::int64_t output = first_of_grid(); output < std::int64_t{call.bins} * call.width; output += step_of_grid()) {
    std::int64_t* slots = accumulators + output * Slots::slots;
    slots[Slots::not_negative_zero_slot] = 1;  // the +0 that every bin begins with
    put_sum(call, reduction::rounded_sum<T>(slots), output);
  }
}

template <class T>
Status exact(const ScatterCall& call) {
  auto* accumulators = static_cast<std::int64_t*>(call.workspace);
  const std::size_t bytes = sizeof(std::int64_t) * reduction::Superaccumulator<T>::slots * static_cast<std::size_t>(call.outputs());
  if (auto s = zero(call, accumulators, bytes); !s) return s;
  if (auto s = on_filling_grid(call, call.n * call.width, "superaccumulator, values", [&](int grid, cudaStream_t stream) {
        deposit_each_value<T><<<grid, block_threads, 0, stream>>>(call, accumulators);
      });
      !s)
    return s;
  return on_filling_grid(call, call.outputs(), "superaccumulator, rounding", [&](int grid, cudaStream_t stream) {
    round_bins<T><<<grid, block_threads, 0, stream>>>(call, accumulators);
  });
}

/// A plain read first: most values are below what the bin has already, and reads do not wait for each other. A stale read
/// only costs an atomic.
__global__ void __launch_bounds__(block_threads) find_largest(ScatterCall call, std::uint32_t* largest) {
  for (std::int64_t i = first_of_grid(); i < call.n * call.width; i += step_of_grid()) {
    std::uint32_t* bin = largest + output_of(call, i);
    const std::uint32_t magnitude = magnitude_bits(value_at<float>(call, i));
    if (*static_cast<volatile std::uint32_t*>(bin) < magnitude) atomicMax(bin, magnitude);
  }
}

__global__ void __launch_bounds__(block_threads)
    add_units(ScatterCall call, const std::uint32_t* __restrict__ largest, int guard_bits, std::int64_t* units) {
  for (std::int64_t i = first_of_grid(); i < call.n * call.width; i += step_of_grid()) {
    const std::int64_t output = output_of(call, i);
    add_integer(units + output, fixed_point_amount(value_at<float>(call, i), __ldg(largest + output), guard_bits));
  }
}

__global__ void __launch_bounds__(block_threads)
    round_units(ScatterCall call, const std::uint32_t* __restrict__ largest, int guard_bits, const std::int64_t* __restrict__ units) {
  for (std::int64_t output = first_of_grid(); output < std::int64_t{call.bins} * call.width; output += step_of_grid())
    put_sum(call, fixed_point_value(units[output], largest[output], guard_bits), output);
}

Status fixed_point_on_cuda(const ScatterCall& call) {
  Carver carver(call.workspace);
  auto* units = carver.take<std::int64_t>(call.outputs());
  auto* largest = carver.take<std::uint32_t>(call.outputs());
  const int guard_bits = guard_bits_of(call.n);
  if (auto s = zero(call, call.workspace, carver.bytes()); !s) return s;
  if (auto s = on_filling_grid(call, call.n * call.width, "fixed_point, largest", [&](int grid, cudaStream_t stream) {
        find_largest<<<grid, block_threads, 0, stream>>>(call, largest);
      });
      !s)
    return s;
  if (auto s = on_filling_grid(call, call.n * call.width, "fixed_point, values", [&](int grid, cudaStream_t stream) {
        add_units<<<grid, block_threads, 0, stream>>>(call, largest, guard_bits, units);
      });
      !s)
    return s;
  return on_filling_grid(call, call.outputs(), "fixed_point, rounding", [&](int grid, cudaStream_t stream) {
    round_units<<<grid, block_threads, 0, stream>>>(call, largest, guard_bits, units);
  });
}

}  // namespace

std::vector<ScatterAlgorithm> cuda_order_independent() {
  // Claims, workspaces and limits are the CPU's: the bits are.
  ScatterAlgorithm fixed = fixed_point(), wide = superaccumulator();
  fixed.run = fixed_point_on_cuda;
  wide.run = [](const ScatterCall& call) { return call.bin == DataType::f64 ? exact<double>(call) : exact<float>(call); };
  return {fixed, wide};
}

}  // namespace detbench::scatter_add
