// Sums that meet in floating-point atomics: the order in which blocks, warps or elements arrive decides the bits.
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

template <class T>
__global__ void __launch_bounds__(block_threads) add_each_element(const T* __restrict__ x, std::int64_t n, T* sum) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) atomicAdd(sum, x[i]);
}

/// 128 elements are joined by a warp's shuffles, then added by one atomic.
template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads) add_each_warp(const T* __restrict__ x, std::int64_t n, T* sum) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t groups = (n + 3) / 4, first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  // All lanes of a warp go round together, so the shuffles always find them.
  for (std::int64_t group = first; group - threadIdx.x % 32 < groups; group += step) {
    T values[4] = {absent_value<T>(), absent_value<T>(), absent_value<T>(), absent_value<T>()};
    if (group < n / 4)
      load4<Wide>(x, group * 4, values);
    else if (group < groups)
      load4_at_end(x, group * 4, n, values);
    const T total = warp_sum(fold_owned_lanes(values));
    if (threadIdx.x % 32 == 0) atomicAdd(sum, total);
  }
}

/// One atomic per block.
template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads) add_each_block(const T* __restrict__ x, std::int64_t n, T* sum) {
  const T own = strided_sum<Wide>(x, n, std::int64_t{blockIdx.x} * block_threads + threadIdx.x,
                                  std::int64_t{gridDim.x} * block_threads);
  const T total = block_sum<T, block_threads>(own);
  if (threadIdx.x == 0) atomicAdd(sum, total);
}

/// Zeroes the sum, then launches on a grid that fills the GPU.
template <class T, class Launch>
Status onto_zero(const SumCall<T>& call, const char* name, Launch&& launch) {
  const auto grid = filling_grid((call.n + 4 * block_threads - 1) / (4 * block_threads));
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  if (auto status = checked(cudaMemsetAsync(call.sum, 0, sizeof(T), stream), "cudaMemsetAsync"); !status) return status;
  launch(*grid, stream);
  return launched(name);
}

template <class T>
Status atomic_per_element(const SumCall<T>& call) {
  return onto_zero(call, "atomic_per_element", [&](int grid, cudaStream_t stream) {
    add_each_element<T><<<grid, block_threads, 0, stream>>>(call.x, call.n, call.sum);
  });
}
template <class T>
Status warp_aggregated(const SumCall<T>& call) {
  return onto_zero(call, "warp_aggregated", [&](int grid, cudaStream_t stream) {
    if (is_aligned_to_16(call.x))
      add_each_warp<T, true><<<grid, block_threads, 0, stream>>>(call.x, call.n, call.sum);
    else
      add_each_warp<T, false><<<grid, block_threads, 0, stream>>>(call.x, call.n, call.sum);
  });
}
template <class T>
Status block_then_atomic(const SumCall<T>& call) {
  return onto_zero(call, "block_then_atomic", [&](int grid, cudaStream_t stream) {
    if (is_aligned_to_16(call.x))
      add_each_block<T, true><<<grid, block_threads, 0, stream>>>(call.x, call.n, call.sum);
    else
      add_each_block<T, false><<<grid, block_threads, 0, stream>>>(call.x, call.n, call.sum);
  });
}

}  // namespace

std::unique_ptr<Provider> make_cuda_atomic_sums() {
  SumAlgorithm per_element{"atomic_per_element", {}, atomic_per_element<float>, atomic_per_element<double>};
  per_element.largest_n = std::int64_t{1} << 24;
  per_element.too_large = "atomics on one address go one after the other, so a larger sum takes tens of milliseconds";
  std::vector<TableRow> rows;
  rows.push_back(sum_row({"block_then_atomic", {}, block_then_atomic<float>, block_then_atomic<double>}));
  rows.push_back(sum_row({"warp_aggregated", {}, warp_aggregated<float>, warp_aggregated<double>}));
  rows.push_back(sum_row(std::move(per_element)));
  return make_table_provider("cuda_atomic", DeviceKind::cuda, std::move(rows));
}

}  // namespace detbench::reduction
