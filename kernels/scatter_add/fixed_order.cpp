// Scatter-adds whose order of additions in each bin follows from the indices alone.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "kernels/reduction/lane_sums.hpp"
#include "kernels/scatter_add/scatter_problem.hpp"
#include "kernels/scatter_add/segment_sum.hpp"

namespace detbench::scatter_add {
namespace {

using reduction::canonical_nan;

/// The simplest fixed order: one thread, updates in the order of their indices.
Status serial(const ScatterCall& call) {
  std::fill(call.out, call.out + call.bins, 0.0f);
  for (std::int64_t i = 0; i < call.n; ++i) call.out[call.bin_of(i)] += call.values[i];
  for (std::int32_t bin = 0; bin < call.bins; ++bin) call.out[bin] = canonical_nan(call.out[bin]);
  return {};
}

/// The same order on many threads without a workspace: each thread owns a range of bins, reads every update and adds
/// those that are its own. Reading costs threads times over; the additions are shared.
Status owner_scan(const ScatterCall& call) {
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const auto first = static_cast<std::int32_t>(call.bins * thread / team),
               last = static_cast<std::int32_t>(call.bins * (thread + 1) / team);
    const auto owned = static_cast<std::uint32_t>(last - first);
    std::fill(call.out + first, call.out + last, 0.0f);
    for (std::int64_t i = 0; i < call.n; ++i) {
      const std::int32_t bin = call.bin_of(i);
      if (static_cast<std::uint32_t>(bin - first) < owned) call.out[bin] += call.values[i];
    }
    for (std::int32_t bin = first; bin < last; ++bin) call.out[bin] = canonical_nan(call.out[bin]);
  }
  return {};
}

/// Where the pieces of a counting sort lie in the workspace.
struct SortSpace {
  float* sorted;                ///< values, bin by bin, in index order inside a bin
  std::uint32_t* begins;        ///< bins + 1: where each bin's values begin
  std::uint32_t* next;          ///< threads x bins: counts, then where a thread's next value of a bin goes
  std::uint32_t* range_counts;  ///< one per thread
};
std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
SortSpace sort_space(const ScatterCall& call) {
  auto* at = static_cast<std::byte*>(call.workspace);
  SortSpace space;
  space.sorted = reinterpret_cast<float*>(at);
  at += padded(static_cast<std::size_t>(call.n) * sizeof(float));
  space.begins = reinterpret_cast<std::uint32_t*>(at);
  at += padded((static_cast<std::size_t>(call.bins) + 1) * sizeof(std::uint32_t));
  space.next = reinterpret_cast<std::uint32_t*>(at);
  at += padded(static_cast<std::size_t>(call.bins) * static_cast<std::size_t>(call.threads) * sizeof(std::uint32_t));
  space.range_counts = reinterpret_cast<std::uint32_t*>(at);
  return space;
}
Result<std::size_t> sort_bytes(const ScatterProblem& problem, int threads) {
  const auto bins = static_cast<std::size_t>(problem.bins), team = static_cast<std::size_t>(threads);
  return within_workspace_limit(padded(static_cast<std::size_t>(problem.n) * sizeof(float)) +
                                padded((bins + 1) * sizeof(std::uint32_t)) +
                                padded(bins * team * sizeof(std::uint32_t)) + padded(team * sizeof(std::uint32_t)));
}

/// A stable counting sort by bin, then sum_bin(values, count) for every bin. A stable order is unique, so the number of
/// threads that made it cannot show.
template <class SumBin>
Status sort_and_sum(const ScatterCall& call, SumBin&& sum_bin) {
  const SortSpace space = sort_space(call);
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const std::int64_t first = call.n * thread / team, last = call.n * (thread + 1) / team;
    std::uint32_t* own = space.next + thread * call.bins;
    std::fill(own, own + call.bins, 0u);
    for (std::int64_t i = first; i < last; ++i) ++own[call.bin_of(i)];
#pragma omp barrier
    // Places: bins in order; inside a bin the shares of threads in order. Each thread places a range of bins.
    const std::int64_t first_bin = call.bins * thread / team, last_bin = call.bins * (thread + 1) / team;
    std::uint32_t count = 0;
    for (std::int64_t owner = 0; owner < team; ++owner)
      for (std::int64_t bin = first_bin; bin < last_bin; ++bin) count += space.next[owner * call.bins + bin];
    space.range_counts[thread] = count;
#pragma omp barrier
    std::uint32_t place = 0;
    for (std::int64_t before = 0; before < thread; ++before) place += space.range_counts[before];
    for (std::int64_t bin = first_bin; bin < last_bin; ++bin) {
      space.begins[bin] = place;
      for (std::int64_t owner = 0; owner < team; ++owner) {
        std::uint32_t& next = space.next[owner * call.bins + bin];
        const std::uint32_t values = next;
        next = place;
        place += values;
      }
    }
    if (thread == team - 1) space.begins[call.bins] = place;
#pragma omp barrier
    for (std::int64_t i = first; i < last; ++i) space.sorted[own[call.bin_of(i)]++] = call.values[i];
#pragma omp barrier
      // Dynamic, because hot bins are long; who sums a bin cannot matter.
#pragma omp for schedule(dynamic, 64)
    for (std::int32_t bin = 0; bin < call.bins; ++bin)
      call.out[bin] = sum_bin(space.sorted + space.begins[bin],
                              static_cast<std::int64_t>(space.begins[bin + 1] - space.begins[bin]));
  }
  return {};
}

/// From left to right in each bin: the bits of `serial`.
Status sort_in_order(const ScatterCall& call) {
  return sort_and_sum(call, [](const float* values, std::int64_t count) {
    float sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += values[i];
    return canonical_nan(sum);
  });
}

/// The order of segment_sum.hpp, the same on CUDA.
Status sort_tree(const ScatterCall& call) {
  const reduction::Isa isa = reduction::best_isa();
  return sort_and_sum(call, [isa](const float* values, std::int64_t count) {
    if (count == 0) return 0.0f;
    if (count < reduction::lane_count) {
      float lanes[reduction::lane_count];
      std::memcpy(lanes, values, static_cast<std::size_t>(count) * sizeof(float));
      return finish_bin(fold_few(lanes, static_cast<int>(count)));
    }
    reduction::PairJoiner<float> chunks;
    for (std::int64_t first = 0; first < count; first += reduction::chunk_elements)
      chunks.add(reduction::lane_sum(values + first, std::min(reduction::chunk_elements, count - first), isa));
    return finish_bin(chunks.root());
  });
}

}  // namespace

std::unique_ptr<Provider> make_fixed_order_scatters() {
  using reduction::claim_by_construction;
  std::vector<reduction::TableRow> rows;
  rows.push_back(scatter_row(
      {"sort_tree", claim_by_construction("stable sort by bin, fixed tree in each bin"), sort_tree, sort_bytes}));
  rows.push_back(scatter_row({"sort_in_order", claim_by_construction("stable sort by bin, index order in each bin"),
                              sort_in_order, sort_bytes}));
  rows.push_back(
      scatter_row({"owner_scan", claim_by_construction("index order in each bin, one thread per bin"), owner_scan}));
  rows.push_back(scatter_row({"serial", claim_by_construction("index order, one thread"), serial}));
  return reduction::make_table_provider("fixed_order", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::scatter_add
