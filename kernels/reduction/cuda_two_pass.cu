// Two launches: the blocks' partials, then one block that joins them. The order is that of grid_shares.hpp: a grid of fixed
// size decides who adds what, and the end of the first launch is the only thing that orders the two.
#include "kernels/reduction/cuda_grid_shares.hpp"
#include "kernels/reduction/cuda_rows.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
__global__ void __launch_bounds__(share_block_threads)
    sum_shares(Source source, std::int64_t n, bool wide, typename Source::Accumulator* __restrict__ partials) {
  const auto total = block_partial(source, n, wide);
  if (threadIdx.x == 0) partials[blockIdx.x] = total;
}

template <class A>
__global__ void __launch_bounds__(share_block_threads) join_shares(const A* partials, int occupied, A* sum) {
  join_partials(partials, occupied, sum);
}

struct TwoPass {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    const auto stream = static_cast<cudaStream_t>(call.stream);
    A* partials = static_cast<A*>(call.workspace);
    const int occupied = occupied_share_blocks(call.n);
    sum_shares<<<occupied, share_block_threads, 0, stream>>>(call.source, call.n, loads_wide(call.source), partials);
    if (auto status = launched("two_pass, first pass"); !status) return status;
    join_shares<A><<<1, share_block_threads, 0, stream>>>(partials, occupied, call.sum);
    return launched("two_pass, second pass");
  }
};

}  // namespace

TableRow cuda_two_pass_row() {
  auto algorithm = sum_algorithm<TwoPass>("two_pass", claim_by_construction("shares and trees of a grid of fixed size"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return share_blocks * size_of(problem.accumulator);
  };
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
