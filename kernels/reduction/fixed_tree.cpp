// The order of fixed_tree.hpp: lanes that fill whichever vectors there are, and a binary tree over chunks, whose rounding
// errors grow with the logarithm of the length where those of a chain grow with the length.
#include "kernels/reduction/fixed_order_sums.hpp"

namespace detbench::reduction {
namespace {

struct FixedTree {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    *call.sum = canonical_nan(
        sum_by_tree<A>(call, [&](const Source& source, std::int64_t n) { return lane_sum(source, n, call.isa); }));
    return {};
  }
};

Result<std::size_t> nodes_bytes(const SumProblem& problem, int) {
  return static_cast<std::size_t>(piece_count(problem.n)) * size_of(problem.accumulator);
}

}  // namespace

SumAlgorithm fixed_tree_sum() {
  return fixed_order_algorithm<FixedTree>("fixed_tree", "fixed lanes, chunks and tree", nodes_bytes);
}

}  // namespace detbench::reduction
