// CUB's device-wide sum through the classic two-phase call, which every toolkit has.
#include <cub/device/device_reduce.cuh>

#include "kernels/reduction/cub_levels.hpp"
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {
namespace {

/// Order: a grid that CUB sizes by multiprocessors and occupancy, block partials, then one block over them.
struct DeviceReduce {
  template <class Source>
    requires is_cub_source<Source>
  static Status run(const SumCall<Source>& call) {
    std::size_t bytes = 0;
    const auto stream = static_cast<cudaStream_t>(call.stream);
    if (auto status = checked(cub::DeviceReduce::Sum(nullptr, bytes, call.source.x, call.sum, call.n, stream),
                              "cub::DeviceReduce::Sum, size");
        !status)
      return status;
    return checked(cub::DeviceReduce::Sum(call.workspace, bytes, call.source.x, call.sum, call.n, stream),
                   "cub::DeviceReduce::Sum");
  }
};

template <class T>
Result<std::size_t> bytes_for(std::int64_t n) {
  std::size_t bytes = 0;
  const T* x = nullptr;
  T* sum = nullptr;
  if (auto status = checked(cub::DeviceReduce::Sum(nullptr, bytes, x, sum, n), "cub::DeviceReduce::Sum, size"); !status)
    return tl::unexpected(status.error());
  return bytes;
}
Result<std::size_t> temporary_bytes(const SumProblem& problem, int) {
  return problem.accumulator == DataType::f64 ? bytes_for<double>(problem.n) : bytes_for<float>(problem.n);
}

}  // namespace

std::unique_ptr<Provider> make_cub_sums() {
  const std::string version = std::to_string(CUB_MAJOR_VERSION) + "." + std::to_string(CUB_MINOR_VERSION) + "." +
                              std::to_string(CUB_SUBMINOR_VERSION);
  // Same GPU only: the grid follows the number of multiprocessors, so `partition` and `machine` are not covered.
  auto classic = sum_algorithm<DeviceReduce>(
      "device_reduce",
      {Guarantee::run_to_run,
       "CUB " + version +
           " documentation of cub::DeviceReduce::Sum: \"run-to-run\" determinism for pseudo-associative reduction (addition of "
           "floating-point types) on the same GPU device",
       {Scope::repeat, Scope::process, Scope::load}});
  classic.workspace_bytes = temporary_bytes;
  classic.missing = missing_from_cub;
  std::vector<TableRow> rows = cub_level_rows();
  rows.insert(rows.begin(), sum_row(std::move(classic), DeviceKind::cuda));
  return make_table_provider("cub", std::move(rows));
}

}  // namespace detbench::reduction
