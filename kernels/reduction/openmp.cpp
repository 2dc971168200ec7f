#include "kernels/reduction/openmp_sums.hpp"
#include "kernels/reduction/running_sum.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_openmp_sums() {
  std::vector<TableRow> rows;
  for (auto* algorithm : {openmp_reduction_static, openmp_reduction_dynamic, openmp_reduction_guided, openmp_thread_partials,
                          openmp_thread_partials_atomic, openmp_chunk_atomic_static, openmp_chunk_atomic_dynamic})
    rows.push_back(sum_row(algorithm()));
  rows.push_back(sum_row(openmp_atomic_per_element()));
  rows.back().bound_constant = running_sum_bound_constant;
  return make_table_provider("openmp", std::move(rows));
}

}  // namespace detbench::reduction
