// The configurations of the scopes `partition` and `placement`, in order of what they reveal.
#include <algorithm>
#include <bit>
#include <charconv>

#include "bench/core/probe.hpp"
#include "bench/core/random.hpp"
#include "kernels/device/sm_partition.hpp"

namespace detbench {

namespace {

std::vector<DeviceConfiguration> gpu_partitions(const DeviceConfiguration& base, std::uint32_t count,
                                                const MultiprocessorLimits& limits) {
  const auto targets = sm_count_targets(limits, count);
  auto sizes = partition_sizes(limits, count);
  // A GPU or driver that cannot be divided gets one stage all the same, which then carries the reason.
  if (sizes.empty() && count > 0) sizes.push_back(std::max(1, limits.count / 2));
  std::vector<DeviceConfiguration> configurations;
  for (std::size_t i = 0; i < std::max(targets.size(), sizes.size()); ++i) {
    if (i < targets.size()) {
      configurations.push_back(base);
      configurations.back().sm_count_target = targets[i];
    }
    if (i < sizes.size()) {
      configurations.push_back(base);
      configurations.back().multiprocessors = sizes[i];
    }
  }
  return configurations;
}

}  // namespace

std::vector<DeviceConfiguration> partition_configurations(const DeviceConfiguration& base, std::uint32_t count,
                                                          const MultiprocessorLimits& limits) {
  if (limits.count > 0) return gpu_partitions(base, count, limits);
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

std::size_t declared_alignment(const Plan& plan, const Algorithm& algorithm) {
  std::size_t alignment = plan.alignment_bytes();
  const auto option = algorithm.options.find("align");
  if (option == algorithm.options.end()) return alignment;
  std::size_t declared = 0;
  const auto& text = option->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), declared);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  return number && std::has_single_bit(declared) ? declared : alignment;
}

std::vector<DeviceConfiguration> gpu_placements(const DeviceConfiguration& base, std::uint32_t count, std::uint64_t seed,
                                                std::size_t declared_alignment) {
  // The least alignment that the arm permits decides on vector width, the most that matters here moves whole cache lines
  // and sectors; what lies between comes after.
  std::vector<std::size_t> alignments;
  for (std::size_t alignment = 2; alignment <= 256; alignment *= 2)
    if (alignment >= declared_alignment) alignments.push_back(alignment);
  if (alignments.empty()) alignments.push_back(declared_alignment);
  if (alignments.size() > 2) std::rotate(alignments.begin() + 1, alignments.end() - 1, alignments.end());
  std::vector<DeviceConfiguration> configurations;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto next = base;
    // Exactly this alignment and no larger one: an odd multiple of it, off the base's own.
    next.offset_bytes = base.offset_bytes + alignments[i % alignments.size()];
    next.allocator = i % 2 == 0 ? Allocator::plain : Allocator::pool;
    next.placement_seed = std::max<std::uint64_t>(1, derive_seed(seed, "placement", i));
    configurations.push_back(next);
  }
  return configurations;
}

std::string stage_name(const DeviceConfiguration& base, const DeviceConfiguration& c, DeviceKind kind) {
  if (c.sm_count_target != base.sm_count_target) return "sm_target=" + std::to_string(c.sm_count_target);
  if (c.multiprocessors != base.multiprocessors) return "green_context=" + std::to_string(c.multiprocessors);
  if (c.threads != base.threads) return "threads=" + std::to_string(c.threads);
  const auto gaps = ",gaps=" + std::to_string(c.placement_seed % 10000);
  if (kind == DeviceKind::cpu) return "offset=" + std::to_string(c.offset_bytes) + gaps;
  return "align=" + std::to_string(c.offset_bytes - base.offset_bytes) + ",allocator=" +
         (c.allocator == Allocator::pool ? "pool" : "plain") + gaps;
}

}  // namespace detbench
