#include "kernels/reduction/openmp_sums.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_openmp_sums() {
  std::vector<TableRow> rows;
  for (auto* algorithm : {openmp_reduction_static, openmp_reduction_dynamic, openmp_reduction_guided, openmp_thread_partials,
                          openmp_thread_partials_atomic, openmp_chunk_atomic_static, openmp_chunk_atomic_dynamic,
                          openmp_atomic_per_element})
    rows.push_back(sum_row(algorithm()));
  return make_table_provider("openmp", std::move(rows));
}

}  // namespace detbench::reduction
