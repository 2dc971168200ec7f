// Exact sums: each bin is a superaccumulator (kernels/reduction/superaccumulator.hpp), filled by integer atomics as threads
// get through and rounded once, to the accumulator's type, and from there to bins of 16 bits. Exact additions have no order.
#include "kernels/reduction/superaccumulator.hpp"

#include <omp.h>

#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"

namespace detbench::scatter_add {
namespace {

template <class T>
Status deposit_each(const ScatterCall& call) {
  using Slots = reduction::Superaccumulator<T>;
  static_assert((std::int64_t{1} << 30) <= Slots::deposits_before_carry, "all updates may meet in one bin without a carry");
  struct Bin {
    std::int64_t slots[Slots::slots];
  };
  auto* all = static_cast<Bin*>(call.workspace);
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const Share bins = share_of(call.outputs(), thread, team), updates = share_of(call.n, thread, team);
    for (std::int64_t i = bins.first; i < bins.last; ++i) {
      std::fill(std::begin(all[i].slots), std::end(all[i].slots), 0);
      all[i].slots[Slots::not_negative_zero_slot] = 1;  // the +0 that every bin begins with
    }
#pragma omp barrier
    for_values<T>(call, updates.first, updates.last, all, [all](std::int64_t output, T value) {
      reduction::deposit<T>(value, [slots = all[output].slots](int slot, std::int64_t amount) {
        std::int64_t& target = slots[slot];
#pragma omp atomic
        target += amount;
      });
    });
#pragma omp barrier
    for (std::int64_t i = bins.first; i < bins.last; ++i) store_sum(call, reduction::rounded_sum<T>(all[i].slots), i);
  }
  return {};
}

}  // namespace

Result<std::size_t> superaccumulator_bytes(const ScatterProblem& problem, int) {
  const int slots = problem.bin == DataType::f64 ? reduction::Superaccumulator<double>::slots : reduction::Superaccumulator<float>::slots;
  return within_workspace_limit(problem, static_cast<std::size_t>(problem.outputs()) * static_cast<std::size_t>(slots) * sizeof(std::int64_t));
}

ScatterAlgorithm superaccumulator() {
  return {"superaccumulator", reduction::claim_by_construction("exact integer sum in each bin, rounded once"),
          [](const ScatterCall& call) { return with_accumulator(call, [&](auto zero) { return deposit_each<decltype(zero)>(call); }); }, superaccumulator_bytes};
}

}  // namespace detbench::scatter_add
