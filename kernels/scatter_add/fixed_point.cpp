// Sums by 64-bit integers (fixed_point.hpp), one integer atomic per value: threads meet in any order and the bits stay.
#include "kernels/scatter_add/fixed_point.hpp"

#include <omp.h>

#include <atomic>

#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"

namespace detbench::scatter_add {
namespace {

void raise(std::uint32_t& target, std::uint32_t magnitude) {
  std::atomic_ref<std::uint32_t> largest(target);
  std::uint32_t seen = largest.load(std::memory_order_relaxed);
  while (seen < magnitude && !largest.compare_exchange_weak(seen, magnitude, std::memory_order_relaxed)) {
  }
}

Status run(const ScatterCall& call) {
  Carver carver(call.workspace);
  auto* units = carver.take<std::int64_t>(call.outputs());
  auto* largest = carver.take<std::uint32_t>(call.outputs());
  const int guard_bits = guard_bits_of(call.n);
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const Share bins = share_of(call.outputs(), thread, team), updates = share_of(call.n, thread, team);
    std::fill(units + bins.first, units + bins.last, 0);
    std::fill(largest + bins.first, largest + bins.last, 0u);
#pragma omp barrier
    for_values<float>(call, updates.first, updates.last, largest, [largest](std::int64_t output, float value) { raise(largest[output], magnitude_bits(value)); });
#pragma omp barrier
    for_values<float>(call, updates.first, updates.last, units, [=](std::int64_t output, float value) {
      const std::int64_t amount = fixed_point_amount(value, largest[output], guard_bits);
#pragma omp atomic
      units[output] += amount;
    });
#pragma omp barrier
    for (std::int64_t i = bins.first; i < bins.last; ++i) store_sum(call, fixed_point_value(units[i], largest[i], guard_bits), i);
  }
  return {};
}

}  // namespace

std::string fixed_point_missing(const ScatterProblem& problem) {
  if (problem.bin == DataType::f64) return "64 bits hold no sum of f64 values to the accuracy of f64: superaccumulator does";
  if (problem.n > fixed_point_largest_n) return "offered up to 67108864 updates: beyond, 64 bits leave a value fewer digits than an f32 sum's error bound asks for";
  return {};
}

ScatterAlgorithm fixed_point() {
  return {"fixed_point", reduction::claim_by_construction("integer sum in each bin, in a unit that the bin's largest magnitude gives"), run,
          [](const ScatterProblem& problem, int) {
            Carver carver(nullptr);
            carver.take<std::int64_t>(problem.outputs());
            carver.take<std::uint32_t>(problem.outputs());
            return within_workspace_limit(problem, carver.bytes());
          },
          fixed_point_missing};
}

}  // namespace detbench::scatter_add
