#include "tests/emulated_gpu/streams.hpp"

#include <algorithm>

#include "tests/emulated_gpu/runtime.hpp"

namespace detbench::emulated {

std::vector<TaskPointer> predecessors(const CUstream_st& stream) {
  const auto& state = runtime();
  std::vector<TaskPointer> all{stream.tail};
  if (stream.legacy) {
    for (const auto& [handle, other] : state.streams.all())
      if (other->blocking) all.push_back(other->tail);
  } else if (stream.blocking) {
    all.push_back(state.legacy.tail);
  }
  return all;
}

cudaError_t enqueue(CUstream_st& stream, Command command) {
  if (stream.capture) {
    auto& capture = *stream.capture;
    if (capture.invalidated) return cudaErrorStreamCaptureInvalidated;
    capture.graph.nodes.push_back({std::move(command), stream.frontier});
    stream.frontier = {capture.graph.nodes.size() - 1};
    return cudaSuccess;
  }
  if (stream.legacy)
    if (const auto error = refuse_legacy(); error != cudaSuccess) return error;
  stream.tail = runtime().device.submit(std::move(command), predecessors(stream));
  return cudaSuccess;
}

cudaError_t enqueue_graph(CUstream_st& stream, CUgraphExec_st& executable) {
  const auto& nodes = executable.graph.nodes;
  if (stream.capture) {
    // As if its nodes had been captured here: those without a dependency come after what the stream has, the next after all.
    auto& capture = *stream.capture;
    if (capture.invalidated) return cudaErrorStreamCaptureInvalidated;
    const std::size_t first = capture.graph.nodes.size();
    std::vector<std::size_t> last;
    for (const auto& node : nodes) {
      auto after = node.after;
      for (auto& index : after) index += first;
      last.push_back(capture.graph.nodes.size());
      capture.graph.nodes.push_back({node.command, after.empty() ? stream.frontier : std::move(after)});
    }
    if (!last.empty()) stream.frontier = std::move(last);
    return cudaSuccess;
  }
  if (stream.legacy)
    if (const auto error = refuse_legacy(); error != cudaSuccess) return error;
  auto& device = runtime().device;
  auto before = predecessors(stream);
  before.push_back(executable.last);
  const auto begin = device.submit({}, before);
  std::vector<TaskPointer> tasks;
  for (const auto& node : nodes) {
    std::vector<TaskPointer> after{begin};
    for (const auto index : node.after) after.push_back(tasks[index]);
    tasks.push_back(device.submit(node.command, after));
  }
  tasks.push_back(begin);
  stream.tail = executable.last = device.submit({}, tasks);
  return cudaSuccess;
}

cudaError_t record(CUevent_st& event, CUstream_st& stream) {
  if (stream.capture) {
    if (stream.capture->invalidated) return cudaErrorStreamCaptureInvalidated;
    event.capture = stream.capture;
    event.frontier = stream.frontier;
    return cudaSuccess;
  }
  if (const auto error = enqueue(stream, {}); error != cudaSuccess) return error;
  event.capture = nullptr;
  event.recorded = stream.tail;
  return cudaSuccess;
}

cudaError_t wait_for_event(CUstream_st& stream, CUevent_st& event) {
  if (stream.capture && stream.capture->invalidated) return cudaErrorStreamCaptureInvalidated;
  const auto invalidate = [](const CapturePointer& capture, cudaError_t error) {
    if (capture) capture->invalidated = true;
    return error;
  };
  if (event.capture) {
    const auto& capture = event.capture;
    // After its end the event stands for a point in a graph, which nothing outside can wait for.
    if (capture->over) return invalidate(stream.capture, stream.capture ? cudaErrorStreamCaptureIsolation : cudaErrorCapturedEvent);
    if (capture->invalidated) return cudaErrorStreamCaptureInvalidated;
    if (stream.legacy) return invalidate(capture, cudaErrorStreamCaptureImplicit);
    if (!stream.capture) {
      stream.capture = capture;  // the stream joins
      stream.frontier = event.frontier;
      return cudaSuccess;
    }
    if (stream.capture != capture) {
      invalidate(capture, cudaSuccess);
      return invalidate(stream.capture, cudaErrorStreamCaptureMerge);
    }
    for (const auto node : event.frontier)
      if (std::ranges::find(stream.frontier, node) == stream.frontier.end()) stream.frontier.push_back(node);
    return cudaSuccess;
  }
  // An event that was never recorded holds nobody up.
  if (!event.recorded) return cudaSuccess;
  if (stream.capture) return invalidate(stream.capture, cudaErrorStreamCaptureIsolation);
  if (stream.legacy)
    if (const auto error = refuse_legacy(); error != cudaSuccess) return error;
  auto after = predecessors(stream);
  after.push_back(event.recorded);
  stream.tail = runtime().device.submit({}, after);
  return cudaSuccess;
}

}  // namespace detbench::emulated

using namespace detbench::emulated;

namespace {

cudaError_t create_stream(cudaStream_t* stream, unsigned flags, int priority) {
  return call([&](Runtime& state, auto&) {
    if (!stream || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    auto made = std::make_unique<CUstream_st>();
    made->blocking = flags != cudaStreamNonBlocking;
    made->priority = priority;
    *stream = state.streams.add(std::move(made));
    return cudaSuccess;
  });
}

/// Calls body(state, lock, stream).
template <class Body>
cudaError_t call_on(cudaStream_t handle, Body body) {
  return call([&](Runtime& state, auto& lock) {
    CUstream_st* stream = state.stream(handle);
    return stream ? body(state, lock, *stream) : cudaErrorInvalidResourceHandle;
  });
}

/// May this stream be waited for now?
cudaError_t refuse_wait(const CUstream_st& stream) {
  if (const auto error = refuse_capturing(stream.capture); error != cudaSuccess) return error;
  if (const auto error = stream.legacy ? refuse_legacy() : cudaSuccess; error != cudaSuccess) return error;
  return refuse_unsafe();
}

cudaError_t create_event(cudaEvent_t* event, unsigned flags) {
  return call([&](Runtime& state, auto&) {
    if (!event || (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming)) != 0) return cudaErrorInvalidValue;
    auto made = std::make_unique<CUevent_st>();
    made->has_time = (flags & cudaEventDisableTiming) == 0;
    *event = state.events.add(std::move(made));
    return cudaSuccess;
  });
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) { return create_stream(stream, flags, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) { return create_stream(stream, flags, priority); }
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return call([&](Runtime&, auto&) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
  });
}

/// What was enqueued still happens.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.streams.find(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    abandon(*stream);
    // The legacy default stream, and those that wait for it, still come after its work.
    if (stream->blocking && !DeviceThread::done(stream->tail)) state.legacy.tail = state.device.submit({}, {state.legacy.tail, stream->tail});
    state.streams.remove(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call_on(handle, [](Runtime& state, auto& lock, CUstream_st& stream) {
    if (const auto error = refuse_wait(stream); error != cudaSuccess) return error;
    for (const auto& task : stream.legacy ? predecessors(stream) : std::vector{stream.tail}) state.device.wait(lock, task);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call_on(handle, [](Runtime&, auto&, CUstream_st& stream) {
    if (const auto error = refuse_wait(stream); error != cudaSuccess) return error;
    const auto waited_for = stream.legacy ? predecessors(stream) : std::vector{stream.tail};
    return std::ranges::all_of(waited_for, &DeviceThread::done) ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
  return call_on(handle, [&](Runtime& state, auto&, CUstream_st& stream) {
    if (!state.events.find(event)) return cudaErrorInvalidResourceHandle;
    return flags != 0 ? cudaErrorInvalidValue : wait_for_event(stream, *event);
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return create_event(event, cudaEventDefault); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) { return create_event(event, flags); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call([&](Runtime& state, auto&) { return state.events.remove(event) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return call_on(handle, [&](Runtime& state, auto&, CUstream_st& stream) {
    return state.events.find(event) ? record(*event, stream) : cudaErrorInvalidResourceHandle;
  });
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call([&](Runtime& state, auto&) {
    if (!milliseconds) return cudaErrorInvalidValue;
    for (const auto event : {start, end})
      if (!state.events.find(event) || !event->has_time || (!event->recorded && !event->capture)) return cudaErrorInvalidResourceHandle;
    for (const auto event : {start, end})
      if (event->capture) return refuse_capturing(event->capture) == cudaSuccess ? cudaErrorInvalidResourceHandle : cudaErrorCapturedEvent;
    if (!DeviceThread::done(start->recorded) || !DeviceThread::done(end->recorded)) return cudaErrorNotReady;
    const auto passed = DeviceThread::done_at(end->recorded) - DeviceThread::done_at(start->recorded);
    *milliseconds = std::chrono::duration<float, std::milli>(passed).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call_on(handle, [&](Runtime&, auto&, CUstream_st& stream) { return begin_capture(stream, mode); });
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call_on(handle, [&](Runtime&, auto&, CUstream_st& stream) { return graph ? end_capture(stream, graph) : cudaErrorInvalidValue; });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call_on(handle, [&](Runtime&, auto&, CUstream_st& stream) {
    if (!status) return cudaErrorInvalidValue;
    if (stream.legacy)
      if (const auto error = refuse_legacy(); error != cudaSuccess) return error;
    *status = cudaStreamCaptureStatusNone;
    if (stream.capture) *status = stream.capture->invalidated ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}
}
