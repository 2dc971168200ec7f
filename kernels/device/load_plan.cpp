#include "kernels/device/load_plan.hpp"

#include <algorithm>

#include "kernels/device/sm_partition.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

/// [0, 1) out of a seed and a counter.
double share(std::uint64_t seed, std::uint64_t counter) {
  return static_cast<double>(mix64(seed + mix64(counter)) >> 11) * 0x1p-53;
}

}  // namespace

std::vector<LoadBurst> plan_bursts(GpuLoadKind kind, const GpuShape& shape, std::uint64_t seed, double limit_s) {
  const double limit_ns = std::clamp(limit_s, 1e-3, 60.0) * 1e9;
  // The mean of the shortest and the longest burst, times as many as fit, has to cover the limit.
  const double stretch = std::max(1.0, limit_ns / (static_cast<double>(most_bursts) * 10e6));
  // Traffic saturates the memory system from a part of the multiprocessors; more of them would only take room.
  const double most_share = kind == GpuLoadKind::spinners ? 1.0 : 0.5;
  std::vector<LoadBurst> bursts;
  double covered_ns = 0;
  for (std::uint64_t i = 0; covered_ns < limit_ns && bursts.size() < most_bursts; ++i) {
    const auto room = leave_room(shape.multiprocessors, shape.shared_bytes_per_multiprocessor, shape.shared_bytes_per_block,
                                 shape.threads_per_multiprocessor, most_share * (0.2 + 0.8 * share(seed, 4 * i)),
                                 kind == GpuLoadKind::spinners ? share(seed, 4 * i + 1) : 0.0);
    if (room.blocks == 0) return {};
    LoadBurst burst{room.blocks, room.threads, room.shared_bytes, 0, static_cast<std::uint32_t>(mix64(seed + i) >> 32)};
    const double duration_ns = stretch * (2e6 + 18e6 * share(seed, 4 * i + 2));
    burst.duration_ns = static_cast<std::uint64_t>(duration_ns);
    covered_ns += duration_ns;
    bursts.push_back(burst);
  }
  return bursts;
}

ShortLoad plan_short_load(int multiprocessors, std::uint64_t seed) {
  ShortLoad load;
  load.blocks = 1 + static_cast<int>(share(seed, 0) * 2 * std::max(1, multiprocessors));
  load.threads = 32 << static_cast<int>(share(seed, 1) * 4);  // 32, 64, 128 or 256
  load.rounds = 1 << static_cast<int>(share(seed, 2) * 8);    // 1 to 128
  return load;
}

}  // namespace detbench
