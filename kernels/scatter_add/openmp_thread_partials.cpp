// Bins of each thread's own: a thread adds its contiguous share of the updates, in their order, without meeting others.
// The shares then meet in two ways: by atomics, in the order in which threads get there; or in the order of threads, so
// that the bits repeat and change with the number of threads alone.
#include <omp.h>

#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::scatter_add {
namespace {

/// Fills the private bins, waits for all, then calls join(all private bins, threads, this thread).
template <class T, class Join>
void into_private_bins(const ScatterCall& call, Join&& join) {
  T* all = Carver(call.workspace).take<T>(call.outputs() * call.threads);
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    T* own = all + thread * call.outputs();
    std::fill(own, own + call.outputs(), T(0));
    const Share updates = share_of(call.n, thread, team);
    for_values<T>(call, updates.first, updates.last, own, [own](std::int64_t output, T value) { own[output] += value; });
#pragma omp barrier
    join(all, team, thread);
  }
}

template <class T>
Status join_atomically(const ScatterCall& call) {
  T* joint = size_of(call.bin) == sizeof(T) ? static_cast<T*>(call.out) : static_cast<T*>(call.workspace) + call.outputs() * call.threads;
  into_private_bins<T>(call, [&](const T* all, std::int64_t team, std::int64_t thread) {
    const Share bins = share_of(call.outputs(), thread, team);
    std::fill(joint + bins.first, joint + bins.last, T(0));
#pragma omp barrier
    // Each thread begins at its own share, so that threads meet in few bins at a time.
    const T* own = all + thread * call.outputs();
    for (std::int64_t i = 0, at = bins.first; i < call.outputs(); ++i, at = at + 1 < call.outputs() ? at + 1 : 0) {
      if (own[at] == 0) continue;  // adding a zero to a sum that began as +0 changes nothing
      T& target = joint[at];
#pragma omp atomic
      target += own[at];
    }
#pragma omp barrier
    if (size_of(call.bin) != sizeof(T)) store_sums(call, joint, bins.first, bins.last);
  });
  return {};
}

template <class T>
Status join_in_order(const ScatterCall& call) {
  into_private_bins<T>(call, [&](T* all, std::int64_t team, std::int64_t thread) {
    const Share bins = share_of(call.outputs(), thread, team);
    for (std::int64_t other = 1; other < team; ++other) {
      const T* next = all + other * call.outputs();
      for (std::int64_t i = bins.first; i < bins.last; ++i) all[i] += next[i];
    }
    store_sums(call, all, bins.first, bins.last);
  });
  return {};
}

Status thread_partials_atomic(const ScatterCall& call) {
  return with_accumulator(call, [&](auto zero) { return join_atomically<decltype(zero)>(call); });
}
Status thread_partials_in_order(const ScatterCall& call) {
  return with_accumulator(call, [&](auto zero) { return join_in_order<decltype(zero)>(call); });
}

Result<std::size_t> private_bins_bytes(const ScatterProblem& problem, int threads) {
  const auto sets = static_cast<std::size_t>(threads + (size_of(problem.bin) == 2 ? 1 : 0));
  return within_workspace_limit(problem, static_cast<std::size_t>(problem.outputs()) * size_of(problem.accumulator()) * sets + 64);
}

}  // namespace

ScatterAlgorithm openmp_thread_partials_atomic() {
  ScatterAlgorithm algorithm{"thread_partials_atomic", {}, thread_partials_atomic, private_bins_bytes};
  algorithm.most_partials = [](const ScatterProblem&, int threads) { return static_cast<std::int64_t>(threads); };
  return algorithm;
}

ScatterAlgorithm openmp_thread_partials_in_order() {
  return {"thread_partials_in_order", reduction::claim_for_one_partition("a contiguous share per thread, joined in thread order"), thread_partials_in_order,
          private_bins_bytes};
}

}  // namespace detbench::scatter_add
