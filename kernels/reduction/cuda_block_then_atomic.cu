// One atomic per block: threads stride over the vector, a block joins them in a fixed tree, and only the thousand blocks of
// the grid arrive in an order that nothing fixes. The grid follows the GPU.
//
// What bounds it: memory alone. The atomics, one per block, are some microseconds of one unit of L2 while the others read.
#include "kernels/reduction/cuda_grid_sums.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
__global__ void __launch_bounds__(block_threads)
    add_each_block(Source source, std::int64_t n, bool wide, typename Source::Accumulator* sum) {
  const auto own = strided_share(source, n, wide, std::int64_t{blockIdx.x} * block_threads + threadIdx.x,
                                 std::int64_t{gridDim.x} * block_threads);
  const auto total = block_sum<typename Source::Accumulator, block_threads>(own);
  if (threadIdx.x == 0) atomicAdd(sum, total);
}

struct BlockThenAtomic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return launch_onto_zero(call, "block_then_atomic", [&](int grid, cudaStream_t stream) {
      add_each_block<<<grid, block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), call.sum);
    });
  }
};

}  // namespace

TableRow cuda_block_then_atomic_row() {
  return sum_row(sum_algorithm<BlockThenAtomic>("block_then_atomic"), DeviceKind::cuda);
}

}  // namespace detbench::reduction
