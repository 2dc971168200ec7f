// Atomics after a warp has joined its 128 summands by shuffles: the order within a warp is fixed, the order in which warps
// arrive is not. A 128th of the atomics of atomic_per_element, on the same one address.
#include "kernels/reduction/cuda_grid_sums.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
__global__ void __launch_bounds__(block_threads)
    add_each_warp(Source source, std::int64_t n, bool wide, typename Source::Accumulator* sum) {
  using Lane = PlainLane<typename Source::Accumulator>;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t fours = (n + 3) / 4, first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  // All lanes of a warp go round together, so the shuffles always find them.
  for (std::int64_t four = first; four - threadIdx.x % 32 < fours; four += step) {
    Lane lanes[4];
    if (wide && four < n / 4) {
      StoredFour<Source> stored;
      stored.load(source, four * 4);
#pragma unroll
      for (int k = 0; k < 4; ++k) lanes[k].add(stored.template summand<Lane>(k));
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (four * 4 + k < n) lanes[k].add(source.at(four * 4 + k));
    }
    const auto total = warp_sum(fold_lanes_of_thread(lanes));
    if (threadIdx.x % 32 == 0) atomicAdd(sum, total);
  }
}

struct WarpAggregated {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return launch_onto_zero(call, "warp_aggregated", [&](int grid, cudaStream_t stream) {
      add_each_warp<<<grid, block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), call.sum);
    });
  }
};

}  // namespace

TableRow cuda_warp_aggregated_row() { return sum_row(sum_algorithm<WarpAggregated>("warp_aggregated"), DeviceKind::cuda); }

}  // namespace detbench::reduction
