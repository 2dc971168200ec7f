// Two passes in the order of grid_shares.hpp, the one a GPU's two launches have: partials of fixed shares, then the
// partials. On a CPU the passes are a parallel loop and what follows it.
#include "kernels/reduction/fixed_order_sums.hpp"
#include "kernels/reduction/share_sums.hpp"

namespace detbench::reduction {
namespace {

struct TwoPass {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    A* partials = static_cast<A*>(call.workspace);
#pragma omp parallel for schedule(static) num_threads(call.threads)
    for (int tile = 0; tile < share_tile_count(call.n); ++tile) sum_tile(call.source, call.n, tile, partials, call.isa);
    *call.sum = canonical_nan(join_share_partials(partials, call.n));
    return {};
  }
};

Result<std::size_t> partials_bytes(const SumProblem& problem, int) { return share_blocks * size_of(problem.accumulator); }

}  // namespace

SumAlgorithm two_pass_sum() {
  return fixed_order_algorithm<TwoPass>("two_pass", "shares of a fixed grid, fixed trees", partials_bytes);
}

}  // namespace detbench::reduction
