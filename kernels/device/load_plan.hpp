// What a load on a GPU looks like: bursts of seeded size, each leaving room and ending by itself. Plain arithmetic, so that
// it is tested where there is no GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace detbench {

/// What is put on a GPU for its own sake while an arm runs.
enum class GpuLoadKind {
  spinners,        ///< arithmetic with pauses of hashed length: takes multiprocessors, shared memory and issue slots
  atomic_traffic,  ///< integer additions at hashed addresses: moves the order in which atomics arrive in the L2 cache
  memory_traffic   ///< streaming copies: moves when loads come back
};

/// Of the GPU that the load is for.
struct GpuShape {
  int multiprocessors = 0;
  std::size_t shared_bytes_per_multiprocessor = 0;
  std::size_t shared_bytes_per_block = 0;  ///< the most a block may ask for
  int threads_per_multiprocessor = 0;
};

/// One kernel launch. Bursts follow each other on one stream, so the multiprocessors that are taken, and how much of
/// each, change every few milliseconds: a load that lies still is a constant schedule.
struct LoadBurst {
  int blocks = 0;
  int threads = 0;
  std::size_t shared_bytes = 0;    ///< per block, dynamic
  std::uint64_t duration_ns = 0;   ///< a block ends so long after its own start, whatever happens
  std::uint32_t seed = 0;
};

inline constexpr std::size_t most_bursts = 256;  ///< enqueued at once; a stream holds about a thousand launches

/// Bursts of 2 to 20 ms that together last at least `limit_s` (longer ones where most_bursts would not do); none on a GPU
/// too small to leave room (leave_room in kernels/device/sm_partition.hpp). `limit_s` in (0, 60].
std::vector<LoadBurst> plan_bursts(GpuLoadKind kind, const GpuShape& shape, std::uint64_t seed, double limit_s);

/// A short kernel of seeded size for racing streams: its blocks may fill the GPU, for some tens of microseconds at most.
struct ShortLoad {
  int blocks = 1;
  int threads = 32;
  int rounds = 1;  ///< of 64 dependent fused multiply-adds per thread, about a quarter of a microsecond each
};
ShortLoad plan_short_load(int multiprocessors, std::uint64_t seed);

}  // namespace detbench
