// Scatter-adds as an OpenMP programmer writes them.
#include <omp.h>

#include <algorithm>

#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench::scatter_add {
namespace {

/// Order: updates of a bin meet as threads get through. Bins that one thread alone happens to update keep their order,
/// so differences need bins that are contended.
Status atomic(const ScatterCall& call) {
#pragma omp parallel num_threads(call.threads)
  {
#pragma omp for schedule(static)
    for (std::int32_t bin = 0; bin < call.bins; ++bin) call.out[bin] = 0;
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < call.n; ++i) {
      float& target = call.out[call.bin_of(i)];
      const float value = call.values[i];
#pragma omp atomic
      target += value;
    }
  }
  return {};
}

/// Each thread adds its contiguous share of the updates, in index order, into bins of its own; then join(own bins).
template <class Join>
void into_private_bins(const ScatterCall& call, Join&& join) {
  auto* all = static_cast<float*>(call.workspace);
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    float* own = all + thread * call.bins;
    std::fill(own, own + call.bins, 0.0f);
#pragma omp for schedule(static) nowait
    for (std::int32_t bin = 0; bin < call.bins; ++bin) call.out[bin] = 0;
    for (std::int64_t i = call.n * thread / team; i < call.n * (thread + 1) / team; ++i)
      own[call.bin_of(i)] += call.values[i];
#pragma omp barrier
    join(all, own, team);
  }
}

/// Order: fixed inside a thread's share; shares meet in each bin as threads get there.
Status thread_partials_atomic(const ScatterCall& call) {
  into_private_bins(call, [&](float*, const float* own, std::int64_t) {
    for (std::int32_t bin = 0; bin < call.bins; ++bin) {
      if (own[bin] == 0) continue;  // adding a zero to a sum that began as +0 changes nothing
#pragma omp atomic
      call.out[bin] += own[bin];
    }
  });
  return {};
}

/// Order: shares meet in the order of threads, so the bits repeat, and change with the number of threads.
Status thread_partials_in_order(const ScatterCall& call) {
  into_private_bins(call, [&](const float* all, const float*, std::int64_t team) {
#pragma omp for schedule(static)
    for (std::int32_t bin = 0; bin < call.bins; ++bin) {
      float sum = all[bin];
      for (std::int64_t thread = 1; thread < team; ++thread) sum += all[thread * call.bins + bin];
      call.out[bin] = sum;
    }
  });
  return {};
}

Result<std::size_t> private_bins_bytes(const ScatterProblem& problem, int threads) {
  return within_workspace_limit(static_cast<std::size_t>(problem.bins) * sizeof(float) *
                                static_cast<std::size_t>(threads));
}

}  // namespace

std::unique_ptr<Provider> make_openmp_scatters() {
  std::vector<reduction::TableRow> rows;
  rows.push_back(scatter_row({"atomic", {}, atomic}));
  rows.push_back(scatter_row({"thread_partials_atomic", {}, thread_partials_atomic, private_bins_bytes}));
  rows.push_back(
      scatter_row({"thread_partials_in_order",
                   reduction::claim_for_one_partition("a contiguous share per thread, joined in thread order"),
                   thread_partials_in_order, private_bins_bytes}));
  return reduction::make_table_provider("openmp", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::scatter_add
