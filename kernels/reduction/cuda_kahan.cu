// Kahan's summation in every lane of the fixed tree: the lanes' order is what makes the loss that each carries well defined, so
// it is the tree's. Four dependent operations for a summand, 21 of a multiprocessor's 128 a cycle at full bandwidth.
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_tree.hpp"

namespace detbench::reduction {
namespace {

struct Kahan {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return tree_sum<KahanLane<typename Source::Accumulator>>(call);
  }
};

}  // namespace

TableRow cuda_kahan_row() {
  auto algorithm = sum_algorithm<Kahan>("kahan", claim_by_construction("fixed lanes, chunks and tree, losses carried within a lane"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return static_cast<std::size_t>(tile_count(problem.n)) * (problem.accumulator == DataType::f64 ? sizeof(CompensatedNode) : sizeof(double));
  };
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
