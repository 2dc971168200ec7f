// Index order in each bin on CUDA: sorted, then one thread walks through an output's values, with a plain, an f64 or a
// compensated accumulator. One addition waits for the other, so this pays only where bins are short; it has the bits of the
// CPU's algorithms of the same names.
#include "kernels/scatter_add/accumulators.hpp"
#include "kernels/scatter_add/cuda_sorted.hpp"

namespace detbench::scatter_add {
namespace {

constexpr std::int64_t longest_bin = std::int64_t{1} << 16;

template <class Accumulator>
__global__ void __launch_bounds__(block_threads) add_in_order(ScatterCall call, SortedUpdates sorted) {
  using T = typename Accumulator::Value;
  for (std::int64_t output = first_of_grid(); output < std::int64_t{call.bins} * call.width; output += step_of_grid()) {
    const std::int64_t bin = call.by_width.quotient(output), column = output - bin * call.width;
    const std::uint32_t begin = __ldg(sorted.begins + bin);
    const std::int64_t count = std::int64_t{__ldg(sorted.begins + bin + 1)} - begin;
    Accumulator sum;
    for (std::int64_t i = 0; i < count; ++i) sum.add(sorted.value<T>(call, begin, i, column));
    put_sum(call, sum.result(), output);
  }
}

template <class Accumulator>
Status sort_and_add(const ScatterCall& call) {
  const auto sorted = sort_updates(call);
  if (!sorted) return tl::unexpected(sorted.error());
  return on_filling_grid(call, call.outputs(), "in order", [&](int grid, cudaStream_t stream) {
    add_in_order<Accumulator><<<grid, block_threads, 0, stream>>>(call, *sorted);
  });
}

std::string too_long(const ScatterProblem& problem) {
  if (most_updates_of_a_bin(problem) <= longest_bin) return {};
  return "one thread adds up a bin, one value after the other: offered where bins get up to 65536 updates; sort_tree has no such limit";
}
std::string f64_too_long(const ScatterProblem& problem) {
  const auto missing = f64_accumulator_missing(problem);
  return missing.empty() ? too_long(problem) : missing;
}

}  // namespace

std::vector<ScatterAlgorithm> cuda_in_order() {
  using reduction::claim_by_construction;
  return {{"sort_in_order", claim_by_construction("stable sort by bin, index order in each bin"),
           [](const ScatterCall& call) { return call.bin == DataType::f64 ? sort_and_add<PlainSum<double>>(call) : sort_and_add<PlainSum<float>>(call); },
           sort_bytes, too_long},
          {"f64_accumulator", claim_by_construction("stable sort by bin, index order in each bin in f64, rounded once"), sort_and_add<WideSum>, sort_bytes,
           f64_too_long},
          {"compensated", claim_by_construction("stable sort by bin, Neumaier's sum in index order in each bin"),
           [](const ScatterCall& call) { return call.bin == DataType::f64 ? sort_and_add<CompensatedSum<double>>(call) : sort_and_add<CompensatedSum<float>>(call); },
           sort_bytes, too_long}};
}

}  // namespace detbench::scatter_add
