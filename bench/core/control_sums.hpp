// The arithmetic behind the controls: sums that depend on what they should not depend on, and one that cannot.
#pragma once

#include <cstdint>

namespace detbench {

inline constexpr std::int64_t control_segment = 1024;  ///< elements per target

/// What a control gets to work with: targets * 1024 values, one sum per target.
struct ControlView {
  const float* in;
  float* out;
  std::int64_t targets;
  void* workspace;  ///< targets * max(8, 4 * threads) bytes
  int threads;      ///< of the device's configuration when the plan was made
};

// See bench/core/controls.hpp for what each one is there for. The racing ones throw std::system_error when their threads
// cannot be started.
void contended_atomics(const ControlView& view);
void address_order(const ControlView& view);
void address_peel(const ControlView& view);
void partial_per_thread(const ControlView& view);
void split_by_batch(const ControlView& view);
void integer_accumulation(const ControlView& view);

/// Parts that split_by_batch adds every target in: as many as give 256 workers something to do, the way split-K
/// heuristics choose, so the order of a sample's sum is up to how many samples came with it.
int split_of_batch(std::int64_t targets);
/// Where this process's code, stack and heap lie, by pages: what address_order draws its order from.
std::uint64_t address_hash();

}  // namespace detbench
