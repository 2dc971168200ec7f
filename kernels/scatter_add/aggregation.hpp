// How threads of a GPU join values before an atomic: index arithmetic that the host's tests run too.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::scatter_add {

/// Neighbouring updates that one thread walks through in `thread_aggregated`.
inline constexpr int run_updates = 16;

/// Thread number t of a launch takes column t mod width of the updates [16 * (t / width), ...): neighbouring threads read
/// neighbouring columns. `row` is t / width.
struct Run {
  std::int64_t first, last;  ///< updates
};
DETBENCH_HOST_DEVICE constexpr Run run_of(std::int64_t row, std::int64_t n) {
  const std::int64_t first = row * run_updates, last = first + run_updates;
  return {first, last < n ? last : n};
}
DETBENCH_HOST_DEVICE constexpr std::int64_t run_count(std::int64_t n) { return (n + run_updates - 1) / run_updates; }

/// Walks through a run: values of neighbouring updates with the same bin are added up, in their order, and flushed with
/// one call of flush(bin, sum) when the bin changes.
template <class T, class BinOf, class ValueOf, class Flush>
DETBENCH_HOST_DEVICE inline void add_run(Run run, BinOf&& bin_of, ValueOf&& value_of, Flush&& flush) {
  std::int32_t open = bin_of(run.first);
  T sum = value_of(run.first);
  for (std::int64_t update = run.first + 1; update < run.last; ++update) {
    const std::int32_t bin = bin_of(update);
    const T value = value_of(update);
    if (bin == open) {
      sum += value;
    } else {
      flush(open, sum);
      open = bin;
      sum = value;
    }
  }
  flush(open, sum);
}

/// `warp_aggregated`: which lanes of a warp hold the bin of `lane`, as a mask; the lowest of them leads, and adds the
/// others' values to its own from low to high.
DETBENCH_HOST_DEVICE constexpr bool leads(std::uint32_t peers, int lane) { return (peers & ((std::uint32_t{1} << lane) - 1)) == 0; }

}  // namespace detbench::scatter_add
