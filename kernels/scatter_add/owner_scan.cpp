// Index order in each bin on many threads without moving an update: a thread owns a range of bins, looks at every update
// and adds those that are its own, so each bin is added up by one thread in the order of updates. Looking costs threads
// times over; the additions are shared.
#include <omp.h>

#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"

namespace detbench::scatter_add {
namespace {

template <class T>
Status scan(const ScatterCall& call) {
  T* sums = accumulators<T>(call);
#pragma omp parallel num_threads(call.threads)
  {
    const Share bins = share_of(call.bins, omp_get_thread_num(), omp_get_num_threads());
    const auto first = static_cast<std::int32_t>(bins.first);
    const auto owned = static_cast<std::uint32_t>(bins.last - bins.first);
    std::fill(sums + bins.first * call.width, sums + bins.last * call.width, T(0));
    std::int32_t targets[block_updates];
    std::int16_t found[block_updates];
    T buffer[block_updates];
    for (std::int64_t begin = 0; begin < call.n; begin += block_updates) {
      const int count = static_cast<int>(std::min<std::int64_t>(block_updates, call.n - begin));
      find_targets(call.targets, begin, count, targets);
      // Gathered without a branch: which thread owns the next update is as good as random.
      int finds = 0;
      for (int k = 0; k < count; ++k) {
        found[finds] = static_cast<std::int16_t>(k);
        finds += static_cast<std::uint32_t>(targets[k] - first) < owned;
      }
      if (finds == 0) continue;
      if (call.width == 1) {
        const T* values = read_values(call, begin, count, buffer);
        for (int f = 0; f < finds; ++f) sums[targets[found[f]]] += values[found[f]];
      } else {
        for (int f = 0; f < finds; ++f)
          for_values_of_update<T>(call, begin + found[f], targets[found[f]], buffer, [sums](std::int64_t output, T value) { sums[output] += value; });
      }
    }
    store_sums(call, sums, bins.first * call.width, bins.last * call.width);
  }
  return {};
}

Status run(const ScatterCall& call) {
  return with_accumulator(call, [&](auto zero) { return scan<decltype(zero)>(call); });
}

}  // namespace

ScatterAlgorithm owner_scan() {
  return {"owner_scan", reduction::claim_by_construction("index order in each bin, one thread per bin"), run,
          [](const ScatterProblem& problem, int) { return within_workspace_limit(problem, accumulators_bytes(problem)); }};
}

}  // namespace detbench::scatter_add
