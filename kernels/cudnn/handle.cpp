#include "kernels/cudnn/handle.hpp"

#include <map>
#include <utility>

namespace detbench::cudnn {

Result<cudnnHandle_t> handle_for(Device& device, Stream& stream) {
  const auto lib = library_for_gpu();
  if (!lib) return tl::unexpected(lib.error());
  if (device.kind() != DeviceKind::cuda) return unsupported("cuDNN needs a GPU; this device is " + device.name());
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  static std::mutex mutex;
  // Also by partition: an address may come back as a stream of another green context.
  static std::map<std::pair<void*, int>, cudnnHandle_t> handles;
  const std::lock_guard lock(mutex);
  auto& handle = handles[{stream.native(), device.configuration().multiprocessors}];
  if (handle == nullptr) DETBENCH_CUDNN_TRY(**lib, cudnnCreate(&handle));
  // Set every time: the stream at this address may be a new one.
  if (const auto status = (*lib)->cudnnSetStream(handle, static_cast<cudaStream_t>(stream.native())); status != CUDNN_STATUS_SUCCESS) {
    auto reason = cudnn_reason(**lib, status, "cudnnSetStream");
    // It records an event of the handle's context on the stream, which a driver may refuse on a stream of a green context.
    if (status == CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH) reason.kind = Reason::Kind::unsupported;
    return tl::unexpected(std::move(reason));
  }
  return handle;
}

Result<PlanningHandle> planning_handle(Device& device) {
  const auto lib = library_for_gpu();
  if (!lib) return tl::unexpected(lib.error());
  if (device.kind() != DeviceKind::cuda) return unsupported("cuDNN needs a GPU; this device is " + device.name());
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  static std::mutex mutex;
  static cudnnHandle_t handle = nullptr;
  std::unique_lock lock(mutex);
  if (handle == nullptr) DETBENCH_CUDNN_TRY(**lib, cudnnCreate(&handle));
  return PlanningHandle{handle, std::move(lock)};
}

}  // namespace detbench::cudnn
