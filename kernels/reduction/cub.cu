// CUB's device-wide sum through the classic two-phase call, which every toolkit has.
#include <cub/device/device_reduce.cuh>

#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

/// Order: a grid that CUB sizes by multiprocessors and occupancy, block partials, then one block over them.
template <class T>
Status device_reduce(const SumCall<T>& call) {
  std::size_t bytes = 0;
  const auto stream = static_cast<cudaStream_t>(call.stream);
  if (auto status = checked(cub::DeviceReduce::Sum(nullptr, bytes, call.x, call.sum, call.n, stream),
                            "cub::DeviceReduce::Sum, size");
      !status)
    return status;
  return checked(cub::DeviceReduce::Sum(call.workspace, bytes, call.x, call.sum, call.n, stream),
                 "cub::DeviceReduce::Sum");
}

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
  return problem.type == DataType::f64 ? bytes_for<double>(problem.n) : bytes_for<float>(problem.n);
}

}  // namespace

std::unique_ptr<Provider> make_cub_sums() {
  const std::string version = std::to_string(CUB_MAJOR_VERSION) + "." + std::to_string(CUB_MINOR_VERSION) + "." +
                              std::to_string(CUB_SUBMINOR_VERSION);
  // Same GPU only: the grid follows the number of multiprocessors, so `partition` and `machine` are not covered.
  const Claim claim{Guarantee::run_to_run,
                    "CUB " + version +
                        " documentation of cub::DeviceReduce::Sum: \"run-to-run\" determinism for pseudo-associative "
                        "reduction (addition of floating-point types) on the same GPU device",
                    {Scope::repeat, Scope::process, Scope::load}};
  std::vector<TableRow> rows;
  rows.push_back(sum_row({"device_reduce", claim, device_reduce<float>, device_reduce<double>, temporary_bytes}));
  return make_table_provider("cub", DeviceKind::cuda, std::move(rows));
}

}  // namespace detbench::reduction
