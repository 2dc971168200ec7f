// The order of order.hpp on a CPU. Threads share chunks, then channels: lines that the order already has.
#include "kernels/bias_gradient/chunk_sums.hpp"
#include "kernels/bias_gradient/order.hpp"

namespace detbench::bias_gradient {
namespace {

void fixed_order(const Call& call) {
  const std::int64_t channels = call.problem.channels, groups = group_count(channels), tasks = call.tasks();
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < tasks; ++task) {
      const ChunkSums found = sum_chunk(call, task);
      for (std::int64_t c = 0; c < found.width; ++c) call.partials[found.chunk * channels + found.channel + c] = found.sums[c];
    }
#pragma omp for schedule(static)
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t first = group * group_channels, last = std::min(first + group_channels, channels);
      // join_pairs() for all channels of the group at once.
      const auto row = [&](std::int64_t chunk) { return call.partials + chunk * channels; };
      for (std::int64_t count = call.chunks(); count > 1; count = (count + 1) / 2) {
        for (std::int64_t i = 0; i < count / 2; ++i)
          for (std::int64_t c = first; c < last; ++c) row(i)[c] = row(2 * i)[c] + row(2 * i + 1)[c];
        if (count % 2 != 0)
          for (std::int64_t c = first; c < last; ++c) row(count / 2)[c] = row(count - 1)[c];
      }
      for (std::int64_t c = first; c < last; ++c) call.diff_bias[c] = reduction::canonical_nan(row(0)[c]);
    }
  }
}

}  // namespace

Result<SimplePlanParts> make_fixed_order_parts(const Problem& problem, reduction::Isa isa) {
  return make_parts(problem, isa, true, fixed_order);
}

std::unique_ptr<Provider> make_fixed_order_provider() {
  return std::make_unique<FixedOrderProvider>(
      "chunk_tree", [](const Problem& problem) { return make_fixed_order_parts(problem, reduction::best_isa()); }, true, cuda_fixed_order());
}

}  // namespace detbench::bias_gradient
