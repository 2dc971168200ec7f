// cuDNN handles: one per stream, shared by every op that is bound to it.
#pragma once

#include <mutex>

#include "kernels/cudnn/library.hpp"
#include "kernels/device/device.hpp"

namespace detbench::cudnn {

/// The handle that works on this stream, made at the first call with the device activated. A handle is not thread-safe:
/// one stream is fed by one thread at a time, and so is its handle. Handles live as long as the process, because a
/// stream's work may outlive the op that enqueued it.
Result<cudnnHandle_t> handle_for(Device& device, Stream& stream);
/// A handle of the current device on its default stream, for preparations that enqueue nothing; the device is activated.
/// Not to be used by two threads at once: the lock comes with it.
struct PlanningHandle {
  cudnnHandle_t handle;
  std::unique_lock<std::mutex> lock;
};
Result<PlanningHandle> planning_handle(Device& device);

}  // namespace detbench::cudnn
