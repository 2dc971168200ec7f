// One partial per thread over a contiguous share, so the number of threads decides the partials.
#include <omp.h>

#include "kernels/reduction/openmp_sums.hpp"

namespace detbench::reduction {
namespace {

/// The calling thread's share of the summands; nothing for a thread without one.
template <class Source, class Take>
void take_share(const SumCall<Source>& call, Take&& take) {
  const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
  const std::int64_t first = call.n * thread / team, last = call.n * (thread + 1) / team;
  if (first < last) take(thread, lane_sum(call.source.from(first), last - first, call.isa));
}

/// Order: the partials meet from left to right, after all are there. So a run repeats as long as the number of threads
/// does; what changes it is another number, which is what a framework with a fixed thread pool relies on.
struct ThreadPartials {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    A* partials = static_cast<A*>(call.workspace);
    std::fill(partials, partials + call.threads, absent_value<A>());
#pragma omp parallel num_threads(call.threads)
    take_share(call, [&](std::int64_t thread, A partial) { partials[thread] = partial; });
    A sum = partials[0];
    for (int thread = 1; thread < call.threads; ++thread) sum += partials[thread];
    *call.sum = sum;
    return {};
  }
};

/// Order: the partials meet as threads finish. With two threads that cannot show: 0 + a + b = 0 + b + a.
struct ThreadPartialsAtomic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    using A = typename Source::Accumulator;
    A& sum = *call.sum;
    sum = 0;
#pragma omp parallel num_threads(call.threads)
    take_share(call, [&](std::int64_t, A partial) {
#pragma omp atomic
      sum += partial;
    });
    return {};
  }
};

Result<std::size_t> partials_bytes(const SumProblem& problem, int threads) {
  return static_cast<std::size_t>(threads) * size_of(problem.accumulator);
}

}  // namespace

SumAlgorithm openmp_thread_partials() {
  SumAlgorithm algorithm = sum_algorithm<ThreadPartials>(
      "thread_partials", claim_for_one_partition("a contiguous share per thread, joined from left to right"));
  algorithm.workspace_bytes = partials_bytes;
  algorithm.has_isa = true;
  return algorithm;
}

SumAlgorithm openmp_thread_partials_atomic() {
  SumAlgorithm algorithm = sum_algorithm<ThreadPartialsAtomic>("thread_partials_atomic");
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace detbench::reduction
