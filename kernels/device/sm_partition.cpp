#include "kernels/device/sm_partition.hpp"

#include <algorithm>

namespace detbench {
namespace {

/// The first `count` candidates that are accepted, none of them twice.
template <class Accept>
std::vector<int> take(const std::vector<int>& candidates, std::uint32_t count, Accept accept) {
  std::vector<int> taken;
  for (const int candidate : candidates) {
    if (taken.size() == count) break;
    if (accept(candidate) && std::find(taken.begin(), taken.end(), candidate) == taken.end()) taken.push_back(candidate);
  }
  return taken;
}

}  // namespace

int round_partition(const MultiprocessorLimits& limits, int wanted) {
  if (limits.count < 1 || limits.smallest_partition < 1 || limits.partition_step < 1 || wanted < 1) return 0;
  const int least = std::max(wanted, limits.smallest_partition);
  const int rounded = (least + limits.partition_step - 1) / limits.partition_step * limits.partition_step;
  return rounded <= limits.count ? rounded : 0;
}

std::vector<int> partition_sizes(const MultiprocessorLimits& limits, std::uint32_t count) {
  if (limits.partition_step < 1) return {};
  std::vector<int> candidates;
  // Rounded up, a large request may no longer fit; the largest multiple of the step that does is asked for instead.
  const int largest = limits.count / limits.partition_step * limits.partition_step;
  for (const int wanted : {limits.count / 2, limits.count / 4, 1, 3 * limits.count / 4, largest})
    candidates.push_back(round_partition(limits, std::min(wanted, largest)));
  for (int size = limits.smallest_partition; size < limits.count; size += limits.partition_step)
    candidates.push_back(round_partition(limits, size));
  return take(candidates, count, [&](int size) { return size > 0 && size < limits.count; });
}

std::vector<int> sm_count_targets(const MultiprocessorLimits& limits, std::uint32_t count) {
  std::vector<int> candidates{limits.count / 2,     limits.count - 1,          limits.count / 4,
                              3 * limits.count / 4, limits.smallest_partition, 1};
  for (int target = 2; target < limits.count; ++target) candidates.push_back(target);
  return take(candidates, count, [&](int target) { return target > 0 && target < limits.count; });
}

LoadRoom leave_room(int multiprocessors, std::size_t shared_bytes_per_multiprocessor, std::size_t shared_bytes_per_block,
                    int threads_per_multiprocessor, double share, double shared_share) {
  const auto part = [](double fraction, double of) { return std::clamp(fraction, 0.0, 1.0) * of; };
  const int free = (multiprocessors + cluster_multiprocessors - 1) / cluster_multiprocessors;
  const int most = multiprocessors - free;
  LoadRoom room;
  if (most < 1) return room;
  room.blocks = std::clamp(static_cast<int>(part(share, most)), 1, most);
  // Half of a multiprocessor's shared memory, so that a kernel with an ordinary footprint still finds a place beside it.
  const auto largest = std::min(shared_bytes_per_multiprocessor / 2, shared_bytes_per_block);
  room.shared_bytes = static_cast<std::size_t>(part(shared_share, static_cast<double>(largest))) / 128 * 128;
  room.threads = std::clamp(threads_per_multiprocessor / 4 / 32 * 32, 32, 256);
  return room;
}

}  // namespace detbench
