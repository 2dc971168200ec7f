// One pass in the order of grid_shares.hpp: whoever finishes last joins the partials, which lie where their shares put
// them, so that it does not matter who that is. A GPU saves a launch by it, a CPU a barrier.
#include <atomic>

#include "kernels/reduction/fixed_order_sums.hpp"
#include "kernels/reduction/share_sums.hpp"

namespace detbench::reduction {
namespace {

struct LastBlock {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    A* partials = static_cast<A*>(call.workspace);
    std::atomic<int> finished{0};
#pragma omp parallel num_threads(call.threads)
    {
      int done = 0;
#pragma omp for schedule(static) nowait
      for (int tile = 0; tile < share_tile_count(call.n); ++tile) {
        sum_tile(call.source, call.n, tile, partials, call.isa);
        ++done;
      }
      // Releases this thread's partials, and acquires those of all that counted before.
      if (done > 0 && finished.fetch_add(done, std::memory_order_acq_rel) + done == share_tile_count(call.n))
        *call.sum = canonical_nan(join_share_partials(partials, call.n));
    }
    return {};
  }
};

Result<std::size_t> partials_bytes(const SumProblem& problem, int) { return share_blocks * size_of(problem.accumulator); }

}  // namespace

SumAlgorithm last_block_sum() {
  return fixed_order_algorithm<LastBlock>("last_block", "shares of a fixed grid, fixed trees", partials_bytes);
}

}  // namespace detbench::reduction
