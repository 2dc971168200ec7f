#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/reduction/fixed_order_sums.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_fixed_order_sums() {
  std::vector<TableRow> rows;
  for (auto* algorithm :
       {fixed_tree_sum, two_pass_sum, last_block_sum, kahan_sum, neumaier_sum, f64_accumulator_sum})
    rows.push_back(sum_row(algorithm()));
  for (TableRow& row : cuda_fixed_order_sum_rows()) rows.push_back(std::move(row));
  return make_table_provider("fixed_order", std::move(rows));
}

}  // namespace detbench::reduction
