// Holding a stream back while the host queues work on it, so that the work then runs without waiting for the host: what
// is timed is the device, not the launches.
#pragma once

#include <memory>

#include "kernels/device/device.hpp"

namespace detbench {

class LaunchGate {
 public:
  virtual ~LaunchGate() = default;
  /// Work put on the stream from here on waits for open(), but never longer than `limit_s`: a full launch queue would
  /// otherwise block the host for ever behind the gate that only it can open.
  virtual Status close(Stream& stream, double limit_s) = 0;
  virtual void open() noexcept = 0;
  /// Once the stream has been waited for: whether the gate gave up before open(), so that launches were exposed.
  virtual bool gave_up() const noexcept = 0;
};

/// On a CPU, where enqueue() runs the work itself, a gate that does nothing.
Result<std::unique_ptr<LaunchGate>> make_launch_gate(Device& device);

}  // namespace detbench
