#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {

std::vector<TableRow> cuda_fixed_order_sum_rows() {
  std::vector<TableRow> rows;
  for (const auto row : {cuda_fixed_tree_row, cuda_two_pass_row, cuda_last_block_row, cuda_kahan_row, cuda_neumaier_row, cuda_f64_accumulator_row})
    rows.push_back(row());
  return rows;
}

std::vector<TableRow> cuda_order_independent_sum_rows() {
  std::vector<TableRow> rows;
  for (const auto row : {cuda_exact_window_row, cuda_superaccumulator_row, cuda_binned_row}) rows.push_back(row());
  return rows;
}

std::unique_ptr<Provider> make_cuda_atomic_sums() {
  std::vector<TableRow> rows;
  for (const auto row : {cuda_block_then_atomic_row, cuda_warp_aggregated_row, cuda_atomic_per_element_row}) rows.push_back(row());
  return make_table_provider("cuda_atomic", std::move(rows));
}

}  // namespace detbench::reduction
