#include "kernels/reduction/order_independent_sums.hpp"

#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_order_independent_sums() {
  std::vector<TableRow> rows;
  for (auto* algorithm : {exact_window_sum, binned_sum, superaccumulator_sum}) rows.push_back(sum_row(algorithm()));
  for (TableRow& row : cuda_order_independent_sum_rows()) rows.push_back(std::move(row));
  return make_table_provider("order_independent", std::move(rows));
}

}  // namespace detbench::reduction
