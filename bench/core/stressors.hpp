// Stressors: things done on purpose to provoke another schedule while an arm runs (METHOD section 3, scope `load`).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"

namespace detbench {

/// Always bounded in time: it stops by itself `limit_s` after start(), whatever happens to who started it.
class Stressor {
 public:
  virtual ~Stressor() = default;
  virtual std::string name() const = 0;
  /// Starts it and waits until it does work, for at most a few hundredths of a second.
  virtual Status start(std::uint64_t seed, double limit_s) = 0;
  virtual void stop() noexcept = 0;              ///< may be called twice
  virtual bool running() const noexcept = 0;     ///< false once the limit has passed
  /// Units of work done since the first start(): the evidence that there was a load at all.
  virtual std::uint64_t work() const noexcept = 0;
};

/// The stressors of a backend, in the order of their stages.
/// On a CPU: `spinners` (busy threads of mixed niceness that come and go), `memory_traffic` (copies through more than the
/// last-level cache) and `atomic_traffic` (additions to a few shared cache lines).
/// On a GPU: `spinners`, `atomic_traffic` and `memory_traffic` (persistent blocks that leave room and end by themselves:
/// kernels/device/stress.hpp) and `racing_streams` (short kernels of seeded sizes on streams of every priority).
std::vector<std::unique_ptr<Stressor>> make_stressors(Device& device);

}  // namespace detbench
