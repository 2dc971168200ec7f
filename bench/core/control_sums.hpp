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
void integer_accumulation(const ControlView& view);

}  // namespace detbench
