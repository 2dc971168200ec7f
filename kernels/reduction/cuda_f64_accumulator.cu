// The fixed tree of f32 and 16-bit summands with double lanes and nodes, rounded to f32 once. A multiprocessor converts 16
// summands to double a cycle and adds 64: at full bandwidth 5 of f32 and 10 of 16 bits arrive.
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_tree.hpp"

namespace detbench::reduction {
namespace {

struct F64Accumulator {
  template <class Source>
    requires(has_wide<Source>)
  static Status run(const SumCall<Source>& call) {
    return tree_sum<WideLane>(call);
  }
};

}  // namespace

TableRow cuda_f64_accumulator_row() {
  auto algorithm = sum_algorithm<F64Accumulator>("f64_accumulator", claim_by_construction("fixed lanes, chunks and tree in f64"));
  algorithm.workspace_bytes = [](const SumProblem& problem, int) -> Result<std::size_t> {
    return static_cast<std::size_t>(tile_count(problem.n)) * sizeof(double);
  };
  algorithm.missing = no_wider_type;
  return sum_row(std::move(algorithm), DeviceKind::cuda);
}

}  // namespace detbench::reduction
