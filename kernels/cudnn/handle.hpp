// cuDNN handles: one per stream, shared by every op that is bound to it.
#pragma once

#include "kernels/cudnn/library.hpp"
#include "kernels/device/device.hpp"

namespace detbench::cudnn {

/// The handle that works on this stream, made at the first call with the device activated. A handle is not thread-safe:
/// one stream is fed by one thread at a time, and so is its handle. Handles live as long as the process, because a
/// stream's work may outlive the op that enqueued it.
Result<cudnnHandle_t> handle_for(Device& device, Stream& stream);

}  // namespace detbench::cudnn
