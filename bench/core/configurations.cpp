// The configurations of the scopes `partition` and `placement`, in order of what they reveal.
#include <algorithm>

#include "bench/core/probe.hpp"
#include "bench/core/random.hpp"

namespace detbench {

std::vector<DeviceConfiguration> partition_configurations(const DeviceConfiguration& base, std::uint32_t count) {
  const int threads = base.threads > 0 ? base.threads : available_cores();
  // One thread has no partials at all; twice as many halve every one; odd counts leave uneven parts, where kernels that
  // split by powers of two change their plan. On a large machine fewer threads say as much as more, and cost less.
  std::vector<int> order;
  if (threads < 8)
    order = {1, 2 * threads, threads + 1, 2 * threads + 1, 4 * threads, 4 * threads - 1, 3 * threads, 6 * threads};
  else
    order = {1, threads / 2, threads - 1, 4, 3, threads + 1, threads / 4, 7};
  for (int rest = 2; rest <= static_cast<int>(count) + 10; ++rest) order.push_back(rest);
  std::vector<int> taken{threads};
  std::vector<DeviceConfiguration> configurations;
  for (const int candidate : order) {
    if (configurations.size() == count) break;
    if (candidate < 1 || std::find(taken.begin(), taken.end(), candidate) != taken.end()) continue;
    taken.push_back(candidate);
    configurations.push_back(base);
    configurations.back().threads = candidate;
  }
  return configurations;
}

std::vector<DeviceConfiguration> placement_configurations(const DeviceConfiguration& base, std::uint32_t count,
                                                          std::uint64_t seed) {
  // 16 bytes are the alignment that libraries take as given (cuDNN's default), so offsets are multiples of it: they move
  // data against vectors, cache lines and peels without breaking anybody's promise. Every second placement keeps the
  // alignment and moves addresses by seeded gaps alone.
  constexpr std::size_t offsets[] = {16, 0, 48, 0, 32, 0};
  std::vector<DeviceConfiguration> configurations;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto next = base;
    next.offset_bytes = base.offset_bytes + offsets[i % std::size(offsets)];
    next.placement_seed = std::max<std::uint64_t>(1, derive_seed(seed, "placement", i));
    configurations.push_back(next);
  }
  return configurations;
}

}  // namespace detbench
