// One atomic addition per summand, all on one address: the order in which the memory system serves them is the order of the
// sum, and nothing fixes it. Neighbouring threads take neighbouring summands, as the plain loop of a beginner has it.
#include "kernels/reduction/cuda_grid_sums.hpp"
#include "kernels/reduction/cuda_rows.hpp"
#include "kernels/reduction/running_sum.hpp"

namespace detbench::reduction {
namespace {

template <class Source>
__global__ void __launch_bounds__(block_threads)
    add_each_summand(Source source, std::int64_t n, typename Source::Accumulator* sum) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) atomicAdd(sum, source.at(i));
}

struct AtomicPerElement {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return launch_onto_zero(call, "atomic_per_element", [&](int grid, cudaStream_t stream) {
      add_each_summand<<<grid, block_threads, 0, stream>>>(call.source, call.n, call.sum);
    });
  }
};

}  // namespace

TableRow cuda_atomic_per_element_row() {
  auto algorithm = sum_algorithm<AtomicPerElement>("atomic_per_element");
  algorithm.largest_n = std::int64_t{1} << 24;
  algorithm.too_large = "atomics on one address go one after the other, so a larger sum takes tens of milliseconds";
  TableRow row = sum_row(std::move(algorithm), DeviceKind::cuda);
  row.bound_constant = running_sum_bound_constant;
  return row;
}

}  // namespace detbench::reduction
