// What the CUDA kernels of this folder share: how they read values and write sums. Included by .cu files alone. A
// ScatterCall is plain data and goes to kernels by value; its branches on types are the same for all threads of a launch.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/scatter_add/strategies.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench::scatter_add {

using reduction::block_threads;
using reduction::checked;
using reduction::launched;

/// A value in the accumulator's type; the conversions are exact.
template <class T>
__device__ __forceinline__ T value_at(const ScatterCall& call, std::int64_t i) {
  if constexpr (sizeof(T) == 8) {
    return __ldg(static_cast<const double*>(call.values) + i);
  } else {
    if (call.stored == DataType::f32) return __ldg(static_cast<const float*>(call.values) + i);
    const unsigned short bits = __ldg(static_cast<const unsigned short*>(call.values) + i);
    return call.stored == DataType::f16 ? __half2float(__ushort_as_half(bits)) : __uint_as_float(static_cast<unsigned>(bits) << 16);
  }
}

/// The output that value number i goes to.
__device__ __forceinline__ std::int64_t output_of(const ScatterCall& call, std::int64_t i) {
  const std::int64_t update = call.by_width.quotient(i);
  return std::int64_t{target_of(call.targets, update)} * call.width + (i - update * call.width);
}

/// Rounds a finished sum into the bins' type as the CPU's store_sum() does: to nearest even, NaN made canonical.
__device__ __forceinline__ void put_sum(const ScatterCall& call, double sum, std::int64_t output) {
  static_cast<double*>(call.out)[output] = reduction::canonical_nan(sum);
}
__device__ __forceinline__ void put_sum(const ScatterCall& call, float sum, std::int64_t output) {
  sum = reduction::canonical_nan(sum);
  if (call.bin == DataType::f32) static_cast<float*>(call.out)[output] = sum;
  else static_cast<std::uint16_t*>(call.out)[output] = call.bin == DataType::bf16 ? bf16_from_float(sum) : f16_from_float(sum);
}

/// Threads of a launch and this thread's number in it.
__device__ __forceinline__ std::int64_t first_of_grid() { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ __forceinline__ std::int64_t step_of_grid() { return std::int64_t{gridDim.x} * blockDim.x; }

/// launch(grid, stream) on as many blocks as `pieces` of work fill, at most as many as run at once.
template <class Launch>
Status on_filling_grid(const ScatterCall& call, std::int64_t pieces, const char* name, Launch&& launch) {
  const auto grid = reduction::filling_grid((pieces + block_threads - 1) / block_threads);
  if (!grid) return tl::unexpected(grid.error());
  launch(*grid, static_cast<cudaStream_t>(call.stream));
  return launched(name);
}

inline Status zero(const ScatterCall& call, void* memory, std::size_t bytes) {
  return checked(cudaMemsetAsync(memory, 0, bytes, static_cast<cudaStream_t>(call.stream)), "cudaMemsetAsync");
}

}  // namespace detbench::scatter_add
