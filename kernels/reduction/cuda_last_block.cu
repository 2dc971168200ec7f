// One launch: the block that finishes last joins the partials, in the order of grid_shares.hpp whichever block that is. An
// integer counter finds the last one; integers have no rounding, so its atomics cannot reach the bits.
#include "kernels/reduction/cuda_grid_shares.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
__global__ void __launch_bounds__(share_block_threads)
    sum_shares_and_join(Source source, std::int64_t n, bool wide, typename Source::Accumulator* partials, unsigned* finished,
                        typename Source::Accumulator* sum) {
  using A = typename Source::Accumulator;
  __shared__ bool is_last;
  const A total = block_partial(source, n, wide);
  if (threadIdx.x == 0) {
    // Past L1, which other multiprocessors do not see, and visible to all before the count that announces it.
    __stcg(partials + blockIdx.x, total);
    __threadfence();
    is_last = atomicAdd(finished, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  join_partials<A>(partials, static_cast<int>(gridDim.x), sum);
}

struct LastBlock {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    const auto stream = static_cast<cudaStream_t>(call.stream);
    A* partials = static_cast<A*>(call.workspace);
    auto* finished = reinterpret_cast<unsigned*>(partials + share_blocks);
    if (auto status = checked(cudaMemsetAsync(finished, 0, sizeof *finished, stream), "cudaMemsetAsync"); !status)
      return status;
    sum_shares_and_join<<<occupied_share_blocks(call.n), share_block_threads, 0, stream>>>(
        call.source, call.n, loads_wide(call.source), partials, finished, call.sum);
    return launched("last_block");
  }
};

}  // namespace

TableRow cuda_last_block_row() {
  auto algorithm = sum_algorithm<LastBlock>("last_block", claim_by_construction("shares and trees of a grid of fixed size"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return share_blocks * size_of(problem.accumulator) + sizeof(unsigned);
  };
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
