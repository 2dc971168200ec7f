// Streams, events and graphs of a GPU. Only files that are built with CUDA include this.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/device/device.hpp"
#include "kernels/device/green_context.hpp"

namespace detbench::cuda {

inline cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }

/// On the whole GPU, or on the part of it that `green` is. The priority is clamped to what there is.
Result<std::unique_ptr<Stream>> make_stream(int priority, std::shared_ptr<GreenContext> green);
Result<std::unique_ptr<Event>> make_event();

}  // namespace detbench::cuda
