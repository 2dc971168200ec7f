// The plain fixed tree: 64 virtual lanes, chunks and a tree that joins neighbours, all on logical indices, so that neither grid
// nor block can reach the order. Memory bounds it: one conversion at most and one addition for a summand.
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_tree.hpp"

namespace detbench::reduction {
namespace {

struct FixedTree {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return tree_sum<PlainLane<typename Source::Accumulator>>(call);
  }
};

}  // namespace

TableRow cuda_fixed_tree_row() {
  auto algorithm = sum_algorithm<FixedTree>("fixed_tree", claim_by_construction("fixed lanes, chunks and tree"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return static_cast<std::size_t>(tile_count(problem.n)) * size_of(problem.accumulator);
  };
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
