// Scatter-adds by one atomic per update: floating-point ones, whose order decides the bits, and integer ones into exact
// accumulators, whose order cannot.
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/scatter_add/cuda_scatters.hpp"

namespace detbench::scatter_add {
namespace {

using reduction::block_threads;
using reduction::checked;
using reduction::launched;
using Slots = reduction::Superaccumulator<float>;

__global__ void __launch_bounds__(block_threads)
    add_each_update(const float* __restrict__ values, const std::int32_t* __restrict__ indices, std::int64_t n,
                    std::int32_t bins, std::int32_t hot, float* out) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i < n; i += step)
    atomicAdd(out + target_bin(indices[i], bins, hot), values[i]);
}

__global__ void __launch_bounds__(block_threads)
    deposit_each_update(const float* __restrict__ values, const std::int32_t* __restrict__ indices, std::int64_t n,
                        std::int32_t bins, std::int32_t hot, std::int64_t* accumulators) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i < n; i += step) {
    std::int64_t* slots = accumulators + std::int64_t{target_bin(indices[i], bins, hot)} * Slots::slots;
    // Unsigned 64-bit addition wraps as two's complement does, so it adds signed amounts.
    reduction::deposit<float>(values[i], [slots](int slot, std::int64_t amount) {
      atomicAdd(reinterpret_cast<unsigned long long*>(slots + slot), static_cast<unsigned long long>(amount));
    });
  }
}

__global__ void __launch_bounds__(block_threads) round_bins(std::int64_t* accumulators, std::int32_t bins, float* out) {
  const std::int64_t bin = std::int64_t{blockIdx.x} * block_threads + threadIdx.x;
  if (bin >= bins) return;
  std::int64_t* slots = accumulators + bin * Slots::slots;
  slots[Slots::not_negative_zero_slot] = 1;  // the +0 that every bin begins with
  out[bin] = reduction::rounded_sum<float>(slots);
}

Status atomic(const ScatterCall& call) {
  const auto grid = reduction::filling_grid((call.n + block_threads - 1) / block_threads);
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  if (auto s = checked(cudaMemsetAsync(call.out, 0, sizeof(float) * static_cast<std::size_t>(call.bins), stream),
                       "cudaMemsetAsync");
      !s)
    return s;
  add_each_update<<<*grid, block_threads, 0, stream>>>(call.values, call.indices, call.n, call.bins, call.hot,
                                                       call.out);
  return launched("atomic");
}

Status order_independent(const ScatterCall& call) {
  const auto grid = reduction::filling_grid((call.n + block_threads - 1) / block_threads);
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  auto* accumulators = static_cast<std::int64_t*>(call.workspace);
  const std::size_t bytes = sizeof(std::int64_t) * Slots::slots * static_cast<std::size_t>(call.bins);
  if (auto s = checked(cudaMemsetAsync(accumulators, 0, bytes, stream), "cudaMemsetAsync"); !s) return s;
  deposit_each_update<<<*grid, block_threads, 0, stream>>>(call.values, call.indices, call.n, call.bins, call.hot,
                                                           accumulators);
  if (auto s = launched("order_independent, updates"); !s) return s;
  round_bins<<<(call.bins + block_threads - 1) / block_threads, block_threads, 0, stream>>>(accumulators, call.bins,
                                                                                            call.out);
  return launched("order_independent, rounding");
}

}  // namespace

reduction::TableRow cuda_order_independent_row() {
  return scatter_row({"order_independent",
                      reduction::claim_by_construction("exact integer sum in each bin, rounded once, the CPU's"),
                      order_independent, accumulators_bytes});
}

std::unique_ptr<Provider> make_cuda_atomic_scatters() {
  std::vector<reduction::TableRow> rows;
  rows.push_back(scatter_row({"atomic", {}, atomic}));
  return reduction::make_table_provider("cuda_atomic", DeviceKind::cuda, std::move(rows));
}

}  // namespace detbench::scatter_add
