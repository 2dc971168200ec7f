// The lists: which strategies each provider has, its preferred one first.
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {
namespace {

std::vector<reduction::TableRow> rows_of(DeviceKind kind, std::vector<ScatterAlgorithm> algorithms) {
  std::vector<reduction::TableRow> rows;
  for (auto& algorithm : algorithms) rows.push_back(scatter_row(kind, std::move(algorithm)));
  return rows;
}

/// One provider for both kinds of device: the rows of one name have the same bits on both.
std::unique_ptr<Provider> for_both(std::string name, std::vector<ScatterAlgorithm> on_cpu, std::vector<ScatterAlgorithm> on_cuda) {
  auto rows = rows_of(DeviceKind::cpu, std::move(on_cpu));
  for (auto& row : rows_of(DeviceKind::cuda, std::move(on_cuda))) rows.push_back(std::move(row));
  return reduction::make_table_provider(std::move(name), std::move(rows));
}

}  // namespace

std::string f64_accumulator_missing(const ScatterProblem& problem) {
  return problem.bin == DataType::f64 ? "sort_in_order is this algorithm where bins are f64" : "";
}

std::unique_ptr<Provider> make_openmp_scatters() {
  return reduction::make_table_provider(
      "openmp", rows_of(DeviceKind::cpu, {openmp_atomic(), openmp_thread_partials_atomic(), openmp_thread_partials_in_order()}));
}

std::unique_ptr<Provider> make_fixed_order_scatters() {
  return for_both("fixed_order", {partition_in_order(), sort_tree(), sort_in_order(), f64_accumulator(), compensated(), owner_scan(), serial()},
                  cuda_fixed_order());
}

std::unique_ptr<Provider> make_order_independent_scatters() {
  return for_both("order_independent", {fixed_point(), superaccumulator()}, cuda_order_independent());
}

}  // namespace detbench::scatter_add
