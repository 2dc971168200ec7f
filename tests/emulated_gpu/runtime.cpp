#include "tests/emulated_gpu/runtime.hpp"

#include <utility>

namespace detbench::emulated {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

Runtime& runtime() {
  static auto* state = new Runtime;
  return *state;
}

void stop_device() {
  auto& state = runtime();
  {
    const std::lock_guard lock(state.mutex);
    if (state.ended) return;
    state.ended = true;
  }
  state.device.stop();
}

CUstream_st* Runtime::stream(cudaStream_t handle) {
  return handle == nullptr || handle == cudaStreamLegacy ? &legacy : streams.find(handle);
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}
cudaError_t take_noted() { return std::exchange(last_error, cudaSuccess); }
cudaError_t noted() { return last_error; }

}  // namespace detbench::emulated

using namespace detbench::emulated;

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t taken = take_noted();
  if (taken != cudaSuccess) return taken;
  // What sticks comes back with every call; it does not stay noted beyond that.
  const cudaError_t error = call([](Runtime&, auto&) { return cudaSuccess; });
  take_noted();
  return error;
}

cudaError_t cudaPeekAtLastError() {
  if (noted() != cudaSuccess) return noted();
  return call([](Runtime&, auto&) { return cudaSuccess; });
}

cudaError_t cudaDeviceSynchronize() {
  return call([](Runtime& state, auto& lock) {
    for (const auto& capture : state.captures)
      if (refuse_capturing(capture) != cudaSuccess) return cudaErrorStreamCaptureUnsupported;
    state.device.wait_for_all(lock);
    return cudaSuccess;
  });
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorCudartUnloading: return "driver shutting down";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInvalidMemcpyDirection: return "invalid copy direction for memcpy";
    case cudaErrorMissingConfiguration: return "__global__ function call is not configured";
    case cudaErrorInvalidDeviceFunction: return "invalid device function";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorInvalidKernelImage: return "device kernel image is invalid";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorIllegalState: return "the operation cannot be performed in the present state";
    case cudaErrorNotReady: return "device not ready";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorIllegalInstruction: return "an illegal instruction was encountered";
    case cudaErrorMisalignedAddress: return "misaligned address";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    case cudaErrorNotSupported: return "operation not supported";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureMerge: return "operation would result in a merge of separate capture sequences";
    case cudaErrorStreamCaptureUnmatched: return "capture was not ended in the same stream as it began";
    case cudaErrorStreamCaptureUnjoined: return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation: return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit: return "operation would make the legacy stream depend on a capturing blocking stream";
    case cudaErrorCapturedEvent: return "operation not permitted on an event last recorded in a capturing stream";
    case cudaErrorStreamCaptureWrongThread: return "attempt to terminate a thread-local capture sequence from another thread";
    default: return "unrecognized error code";
  }
}
}
