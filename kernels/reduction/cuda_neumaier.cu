// Neumaier's summation in every lane of the fixed tree, losses added up beside the sums. Eight operations for a summand, 42 of
// a multiprocessor's 128 a cycle at full bandwidth; f64 has half the units and half the summands.
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_tree.hpp"

namespace detbench::reduction {
namespace {

struct Neumaier {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return tree_sum<NeumaierLane<typename Source::Accumulator>>(call);
  }
};

}  // namespace

TableRow cuda_neumaier_row() {
  auto algorithm = sum_algorithm<Neumaier>("neumaier", claim_by_construction("fixed lanes, chunks and tree, losses added up beside the sums"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return static_cast<std::size_t>(tile_count(problem.n)) * (problem.accumulator == DataType::f64 ? sizeof(CompensatedNode) : sizeof(double));
  };
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
