// Sums per channel in the ways an OpenMP programmer writes them. Chunks are those of the fixed order; none fixes the
// order in which they meet.
#include <algorithm>

#include "kernels/bias_gradient/chunk_sums.hpp"
#include "kernels/bias_gradient/order.hpp"
#include "kernels/contention.hpp"

namespace detbench::bias_gradient {
namespace {

/// Order: chunks meet, channel by channel, as they are finished. Channels can disagree about who came first.
void add_to(float* diff_bias, const ChunkSums& found) {
  for (std::int64_t c = 0; c < found.width; ++c) {
#pragma omp atomic
    diff_bias[found.channel + c] += found.sums[c];
  }
}

void chunk_atomic_static(const Call& call) {
  const std::int64_t tasks = call.tasks();
  std::fill_n(call.diff_bias, call.problem.channels, 0.0f);
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < tasks; ++task) add_to(call.diff_bias, sum_chunk(call, task));
}

void chunk_atomic_dynamic(const Call& call) {
  const std::int64_t tasks = call.tasks();
  std::fill_n(call.diff_bias, call.problem.channels, 0.0f);
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t task = 0; task < tasks; ++task) add_to(call.diff_bias, sum_chunk(call, task));
}

/// Order: each thread's private array grows chunk by chunk, and the arrays meet in an order that the specification leaves
/// open (OpenMP 5.2, section 5.5.5).
void array_reduction(const Call& call) {
  const std::int64_t tasks = call.tasks(), channels = call.problem.channels;
  float* diff_bias = call.diff_bias;
  std::fill_n(diff_bias, channels, 0.0f);
#pragma omp parallel for schedule(static) reduction(+ : diff_bias[:channels])
  for (std::int64_t task = 0; task < tasks; ++task) {
    const ChunkSums found = sum_chunk(call, task);
    for (std::int64_t c = 0; c < found.width; ++c) diff_bias[found.channel + c] += found.sums[c];
  }
}

constexpr std::int64_t most_stacked = 65536;

SimpleAlgorithm array_algorithm() {
  return {"array_reduction", {}, true, [](const Problem& problem, Device&) -> Result<SimplePlanParts> {
            if (const auto p = parse_bias_gradient(problem); p && p->channels > most_stacked)
              return unsupported("an array reduction keeps a copy of diff_bias on every thread's stack: over " +
                                 std::to_string(most_stacked) + " channels overflow it");
            return make_parts(problem, reduction::best_isa(), false, array_reduction);
          }};
}
SimpleAlgorithm chunk_algorithm(std::string name, void (*run)(const Call&)) {
  return {std::move(name), {}, true, [run](const Problem& problem, Device&) -> Result<SimplePlanParts> {
            auto parts = make_parts(problem, reduction::best_isa(), false, run);
            if (parts) parts->notes.merge(contention_notes(chunk_count(parse_bias_gradient(problem)->pixels())));
            return parts;
          }};
}

}  // namespace

std::unique_ptr<Provider> make_openmp_provider() {
  return std::make_unique<SimpleProvider>("openmp", DeviceKind::cpu,
                                          std::vector{array_algorithm(), chunk_algorithm("chunk_atomic_static", chunk_atomic_static),
                                                      chunk_algorithm("chunk_atomic_dynamic", chunk_atomic_dynamic)});
}

}  // namespace detbench::bias_gradient
