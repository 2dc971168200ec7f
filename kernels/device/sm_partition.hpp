// Arithmetic of multiprocessor counts: which partitions and targets to try, and how many blocks of a load leave room.
// Plain integers, so that it is tested where there is no GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench {

/// The size of the partition that a driver makes when `wanted` multiprocessors are asked for: at least the smallest one,
/// rounded up to the step, 0 where none of that size fits or where the GPU cannot be divided.
int round_partition(const MultiprocessorLimits& limits, int wanted);

/// Sizes of partitions in order of what they reveal, at most `count`, all different and smaller than the GPU: half, a
/// quarter, the smallest, three quarters, the largest, then every other one from below.
std::vector<int> partition_sizes(const MultiprocessorLimits& limits, std::uint32_t count);

/// SM-count targets in the same spirit, none of them the GPU's own count: half, all but one, a quarter, three quarters,
/// the smallest partition, 1, then the others from below. One less than all is the smallest change there is, and an odd
/// number where counts are even.
std::vector<int> sm_count_targets(const MultiprocessorLimits& limits, std::uint32_t count);

/// Multiprocessors that share a cluster on today's GPUs: what a load leaves free is counted per group of so many.
inline constexpr int cluster_multiprocessors = 8;

/// A load that must leave room: other kernels may need all of their blocks resident at the same time (cooperative
/// launches, stream-K, grid barriers with counters) and would wait for each other for ever on a full GPU.
struct LoadRoom {
  int blocks = 0;                ///< fewer than multiprocessors: at least one per group of cluster_multiprocessors is left
  std::size_t shared_bytes = 0;  ///< of shared memory per block: at most half of a multiprocessor's
  int threads = 0;               ///< per block: at most a quarter of a multiprocessor's
};
/// `share` in [0, 1] of what may be taken at most. On a GPU of so few multiprocessors that nothing can be left, 0 blocks.
LoadRoom leave_room(int multiprocessors, std::size_t shared_bytes_per_multiprocessor, std::size_t shared_bytes_per_block,
                    int threads_per_multiprocessor, double share, double shared_share);

/// Whether a block of a load that finds itself on multiprocessor `sm` has to leave at once: one of each group stays free
/// whatever the scheduler does with the blocks.
DETBENCH_HOST_DEVICE constexpr bool keeps_free(unsigned sm) { return sm % cluster_multiprocessors == 0; }

}  // namespace detbench
