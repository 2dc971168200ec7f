// Index order in each bin at the speed of streams: updates are parted by ranges of bins (partition.hpp), and one thread
// adds up a range, entry after entry. An entry's place among those of its bin is its number's, so the bits are those of
// `serial` for every number of threads.
#include "kernels/scatter_add/partition.hpp"
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {
namespace {

template <class T, class Payload>
Status part_and_add(const ScatterCall& call) {
  const Ranges ranges = choose_ranges(call.bins, call.threads);
  Carver carver(call.workspace);
  const PartitionSpace<Payload> space(carver, call.n, ranges, call.threads);
  T* sums = size_of(call.bin) == sizeof(T) ? static_cast<T*>(call.out) : carver.take<T>(call.outputs());
#pragma omp parallel num_threads(call.threads)
  {
    part_updates(call, ranges, space);
    T buffer[block_updates];
#pragma omp for schedule(dynamic)
    for (std::int32_t range = 0; range < ranges.count; ++range) {
      const std::int64_t first_bin = std::int64_t{range} << ranges.shift, last_bin = std::min<std::int64_t>(call.bins, first_bin + ranges.bins());
      std::fill(sums + first_bin * call.width, sums + last_bin * call.width, T(0));
      const Entry<Payload>*entry = space.entries + space.begins[range], *end = space.entries + space.begins[range + 1];
      if constexpr (std::is_same_v<T, Payload>) {
        for (; entry != end; ++entry) sums[entry->bin] += entry->payload;
      } else {
        for (; entry != end; ++entry)
          for_values_of_update<T>(call, entry->payload, entry->bin, buffer, [sums](std::int64_t output, T value) { sums[output] += value; });
      }
      store_sums(call, sums, first_bin * call.width, last_bin * call.width);
    }
  }
  return {};
}

Status run(const ScatterCall& call) {
  return with_accumulator(call, [&](auto zero) {
    using T = decltype(zero);
    return call.width == 1 ? part_and_add<T, T>(call) : part_and_add<T, std::uint32_t>(call);
  });
}

Result<std::size_t> bytes(const ScatterProblem& problem, int threads) {
  const Ranges ranges = choose_ranges(problem.bins, threads);
  Carver carver(nullptr);
  if (problem.width > 1) PartitionSpace<std::uint32_t>(carver, problem.n, ranges, threads);
  else if (problem.bin == DataType::f64) PartitionSpace<double>(carver, problem.n, ranges, threads);
  else PartitionSpace<float>(carver, problem.n, ranges, threads);
  return within_workspace_limit(problem, carver.bytes() + accumulators_bytes(problem));
}

}  // namespace

ScatterAlgorithm partition_in_order() {
  return {"partition_in_order", reduction::claim_by_construction("stable partition by ranges of bins, index order in each bin"), run, bytes};
}

}  // namespace detbench::scatter_add
