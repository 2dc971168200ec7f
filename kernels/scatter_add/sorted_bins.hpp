// Updates sorted by bin, stably, bin after bin handed to a function: what the algorithms share that see a bin's updates
// as a vector. First the partition by ranges (partition.hpp), then a counting sort inside each range, which stays in the
// caches. A stable order is unique, so neither threads nor ranges can show.
#pragma once

#include "kernels/scatter_add/partition.hpp"

namespace detbench::scatter_add {

template <class Payload>
struct SortedBinsSpace {
  Ranges ranges;
  PartitionSpace<Payload> partition;
  Payload* sorted;
  std::uint32_t* next;  ///< threads x bins of a range
  SortedBinsSpace(Carver& carver, std::int64_t n, std::int32_t bins, int threads)
      : ranges(choose_ranges(bins, threads)),
        partition(carver, n, ranges, threads),
        sorted(carver.take<Payload>(n)),
        next(carver.take<std::uint32_t>(std::int64_t{ranges.bins()} * threads)) {}
};

inline Result<std::size_t> sorted_bins_bytes(const ScatterProblem& problem, int threads) {
  Carver carver(nullptr);
  if (problem.width > 1) SortedBinsSpace<std::uint32_t>(carver, problem.n, problem.bins, threads);
  else if (problem.bin == DataType::f64) SortedBinsSpace<double>(carver, problem.n, problem.bins, threads);
  else SortedBinsSpace<float>(carver, problem.n, problem.bins, threads);
  return within_workspace_limit(problem, carver.bytes());
}

/// sum_bin(bin, payloads, count) for every bin, count 0 included; each bin by one thread.
template <class Payload, class SumBin>
void for_sorted_bins(const ScatterCall& call, SumBin&& sum_bin) {
  Carver carver(call.workspace);
  const SortedBinsSpace<Payload> space(carver, call.n, call.bins, call.threads);
  const Ranges ranges = space.ranges;
#pragma omp parallel num_threads(call.threads)
  {
    part_updates(call, ranges, space.partition);
    std::uint32_t* next = space.next + std::int64_t{ranges.bins()} * omp_get_thread_num();
    const std::uint32_t mask = static_cast<std::uint32_t>(ranges.bins()) - 1;
    // Dynamic, because ranges with hot bins are long; who sums a bin cannot matter.
#pragma omp for schedule(dynamic)
    for (std::int32_t range = 0; range < ranges.count; ++range) {
      const std::int64_t first_bin = std::int64_t{range} << ranges.shift;
      const auto bins = static_cast<std::int32_t>(std::min<std::int64_t>(call.bins - first_bin, ranges.bins()));
      const std::uint32_t begin = space.partition.begins[range], end = space.partition.begins[range + 1];
      const Entry<Payload>* entries = space.partition.entries;
      std::fill(next, next + bins, 0u);
      for (std::uint32_t i = begin; i < end; ++i) ++next[entries[i].bin & mask];
      std::uint32_t place = begin;
      for (std::int32_t bin = 0; bin < bins; ++bin) {
        const std::uint32_t counted = next[bin];
        next[bin] = place;
        place += counted;
      }
      for (std::uint32_t i = begin; i < end; ++i) space.sorted[next[entries[i].bin & mask]++] = entries[i].payload;
      // Now next[bin] is where the bin ends.
      std::uint32_t at = begin;
      for (std::int32_t bin = 0; bin < bins; ++bin) {
        sum_bin(first_bin + bin, space.sorted + at, static_cast<std::int64_t>(next[bin] - at));
        at = next[bin];
      }
    }
  }
}

/// Each bin's values in the order of their numbers, by Accumulator (accumulators.hpp).
template <class Accumulator>
Status add_sorted_in_order(const ScatterCall& call) {
  using T = typename Accumulator::Value;
  if (call.width == 1) {
    for_sorted_bins<T>(call, [&](std::int64_t bin, const T* values, std::int64_t count) {
      Accumulator sum;
      for (std::int64_t i = 0; i < count; ++i) sum.add(values[i]);
      store_sum(call, sum.result(), bin);
    });
    return {};
  }
  for_sorted_bins<std::uint32_t>(call, [&](std::int64_t bin, const std::uint32_t* updates, std::int64_t count) {
    constexpr std::int64_t columns = 64;  // side by side, so that additions of different columns overlap
    T buffer[columns];
    for (std::int64_t column = 0; column < call.width; column += columns) {
      const std::int64_t width = std::min(columns, call.width - column);
      Accumulator sums[columns];
      for (std::int64_t i = 0; i < count; ++i) {
        const T* values = read_values(call, updates[i] * call.width + column, width, buffer);
        for (std::int64_t j = 0; j < width; ++j) sums[j].add(values[j]);
      }
      for (std::int64_t j = 0; j < width; ++j) store_sum(call, sums[j].result(), bin * call.width + column + j);
    }
  });
  return {};
}

}  // namespace detbench::scatter_add
