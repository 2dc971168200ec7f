// Segmented sums in the ways an OpenMP programmer writes them. None fixes the order in which partial sums meet.
#include <omp.h>

#include "kernels/contention.hpp"
#include "kernels/reduction/table_provider.hpp"
#include "kernels/segmented_sum/chunk_nodes.hpp"

namespace detbench::segmented_sum {
namespace {

template <class Sum>
void add_to(Sum& target, Sum value) {
#pragma omp atomic
  target += value;
}

template <class S>
void clear(const Call<S>& call) {
#pragma omp for schedule(static)
  for (std::int64_t s = 0; s < call.segments.count; ++s) call.out[s] = 0;
}

/// Order: whichever thread gets through next, element by element.
struct PerElement {
  template <class S>
  static void run(const Call<S>& call) {
#pragma omp parallel
    {
      clear(call);
      const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
      const std::int64_t first = call.segments.n * thread / team, last = call.segments.n * (thread + 1) / team;
      if (first < last) {
        SegmentCursor segment(call.segments, first);
        for (std::int64_t i = first; i < last; ++i) add_to(call.out[segment.at(i)], reduction::widened(call.x[i]));
      }
    }
  }
};

/// Order: each thread adds its contiguous share up segment by segment, so the number of threads decides the partial sums;
/// those of a segment that reaches over the border of a share meet as threads finish. With two threads that cannot show.
struct ThreadPartials {
  template <class S>
  static void run(const Call<S>& call) {
    using Sum = typename Call<S>::Sum;
#pragma omp parallel
    {
      clear(call);
      const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
      std::int64_t first = call.segments.n * thread / team;
      const std::int64_t last = call.segments.n * (thread + 1) / team;
      // Empty segments hold no position, so the one that holds the first element of a share is not empty.
      for (std::int64_t s = first < last ? call.segments.holding(first) : 0; first < last; ++s) {
        const std::int64_t end = std::min(call.segments.offset(s + 1), last);
        if (first == end) continue;
        Sum sum = 0;
        for (; first < end; first += cpu_window) sum += segment_node<Plain<S>>(call.x + first, std::min(cpu_window, end - first), call.isa);
        first = end;
        add_to(call.out[s], sum);
      }
    }
  }
};

/// Order: the pieces of segment_tree, which meet as threads get through them. A segment of one piece has its order.
struct ChunkAtomic {
  template <class S>
  static void run(const Call<S>& call) {
    const Windows windows{call.segments.n, cpu_window};
#pragma omp parallel
    {
      clear(call);
#pragma omp for schedule(static)
      for (std::int64_t window = 0; window < windows.count(); ++window)
        visit_window(
            call.segments, windows, window,
            [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
              if (length > 0) call.out[s] += segment_node<Plain<S>>(call.x + begin, length, call.isa);
            },
            [&](std::int64_t s, std::int64_t, std::int64_t begin, std::int64_t length, std::int64_t) {
              add_to(call.out[s], window_node<Plain<S>>(call.x + begin, length, call.isa));
            });
    }
  }
};

/// A larger one would take over a tenth of a second.
constexpr std::int64_t most_elements = std::int64_t{1} << 22;

/// The notes of an algorithm whose longest segment receives so many partial sums.
Result<SimplePlanParts> meeting(SimplePlanParts parts, std::int64_t partials) {
  parts.notes.merge(contention_notes(partials));
  return parts;
}

Result<SimplePlanParts> per_element(const SegmentedProblem& problem, reduction::Isa isa, int) {
  if (problem.n > most_elements) return unsupported("offered up to n" + std::to_string(most_elements) + ": contended atomic additions take over 30 ns each");
  return meeting(cpu_parts<PerElement>(problem, isa, 0), problem.longest());
}
Result<SimplePlanParts> thread_partials(const SegmentedProblem& problem, reduction::Isa isa, int threads) {
  // A segment meets as many threads as have a share of it.
  const std::int64_t share = std::max<std::int64_t>(1, problem.n / threads);
  return meeting(cpu_parts<ThreadPartials>(problem, isa, 0), std::min<std::int64_t>(threads, problem.most_parts_of(share, problem.n % threads == 0)));
}
Result<SimplePlanParts> chunk_atomic(const SegmentedProblem& problem, reduction::Isa isa, int) {
  return meeting(cpu_parts<ChunkAtomic>(problem, isa, 0), (problem.longest() + cpu_window - 1) / cpu_window);
}

SimpleAlgorithm unordered(std::string name, Result<SimplePlanParts> (*make)(const SegmentedProblem&, reduction::Isa, int threads)) {
  return {std::move(name), {}, true, [make](const Problem& text, Device& device) -> Result<SimplePlanParts> {
            const auto problem = parse_segmented(text);
            if (!problem) return tl::unexpected(problem.error());
            return make(*problem, reduction::best_isa(), reduction::thread_count(device));
          }};
}

}  // namespace

std::unique_ptr<Provider> make_openmp_provider() {
  return std::make_unique<SimpleProvider>(
      "openmp", DeviceKind::cpu,
      std::vector<SimpleAlgorithm>{unordered("thread_partials_atomic", thread_partials), unordered("chunk_atomic", chunk_atomic),
                                   unordered("atomic_per_element", per_element)});
}

}  // namespace detbench::segmented_sum
