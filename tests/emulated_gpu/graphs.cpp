// Captures and the graphs they become.
#include <algorithm>

#include "tests/emulated_gpu/runtime.hpp"
#include "tests/emulated_gpu/streams.hpp"

namespace detbench::emulated {

cudaError_t begin_capture(CUstream_st& stream, cudaStreamCaptureMode mode) {
  if (stream.legacy) return cudaErrorStreamCaptureUnsupported;
  if (stream.capture) return cudaErrorIllegalState;
  stream.capture = std::make_shared<Capture>(Capture{mode, std::this_thread::get_id(), &stream, {}});
  stream.frontier.clear();
  runtime().captures.push_back(stream.capture);
  return cudaSuccess;
}

namespace {

void leave_capture(CUstream_st& stream) {
  stream.capture = nullptr;
  stream.frontier.clear();
}

/// Whether everything that was captured lies on a way to `last`, the end of the stream that the capture began with.
bool everything_joined(const CUgraph_st& graph, const std::vector<std::size_t>& last) {
  std::vector<bool> reached(graph.nodes.size());
  for (const auto node : last) reached[node] = true;
  // Nodes come after earlier ones alone.
  for (std::size_t node = graph.nodes.size(); node-- > 0;)
    if (reached[node])
      for (const auto earlier : graph.nodes[node].after) reached[earlier] = true;
  return std::ranges::find(reached, false) == reached.end();
}

void end(const CapturePointer& capture) {
  auto& state = runtime();
  capture->over = true;
  std::erase(state.captures, capture);
  for (const auto& [handle, stream] : state.streams.all())
    if (stream->capture == capture) leave_capture(*stream);
}

}  // namespace

cudaError_t end_capture(CUstream_st& stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const CapturePointer capture = stream.capture;
  if (!capture) return cudaErrorIllegalState;
  if (capture->origin != &stream) {
    capture->invalidated = true;
    return cudaErrorStreamCaptureUnmatched;
  }
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) return cudaErrorStreamCaptureWrongThread;
  const bool joined = everything_joined(capture->graph, stream.frontier);
  end(capture);
  if (capture->invalidated) return cudaErrorStreamCaptureInvalidated;
  if (!joined) return cudaErrorStreamCaptureUnjoined;
  *graph = runtime().graphs.add(std::make_unique<CUgraph_st>(std::move(capture->graph)));
  return cudaSuccess;
}

cudaError_t refuse_capturing(const CapturePointer& capture) {
  if (!capture || capture->over) return cudaSuccess;
  capture->invalidated = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t refuse_unsafe() {
  cudaError_t error = cudaSuccess;
  for (const auto& capture : runtime().captures) {
    if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (capture->mode == cudaStreamCaptureModeThreadLocal && capture->thread != std::this_thread::get_id()) continue;
    error = refuse_capturing(capture);
  }
  return error;
}

cudaError_t refuse_legacy() {
  cudaError_t error = cudaSuccess;
  for (const auto& [handle, stream] : runtime().streams.all()) {
    if (!stream->blocking || !stream->capture) continue;
    refuse_capturing(stream->capture);
    error = cudaErrorStreamCaptureImplicit;
  }
  return error;
}

void abandon(CUstream_st& stream) {
  if (!stream.capture) return;
  const CapturePointer capture = stream.capture;
  capture->invalidated = true;
  leave_capture(stream);
  if (capture->origin == &stream) end(capture);
}

}  // namespace detbench::emulated

using namespace detbench::emulated;

extern "C" {

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call([&](Runtime& state, auto&) {
    if (!executable || !state.graphs.find(graph)) return cudaErrorInvalidValue;
    *executable = state.executables.add(std::make_unique<CUgraphExec_st>(CUgraphExec_st{*graph}));
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return call([&](Runtime& state, auto&) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    return state.executables.find(executable) ? enqueue_graph(*stream, *executable) : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call([&](Runtime& state, auto&) { return state.graphs.remove(graph) ? cudaSuccess : cudaErrorInvalidValue; });
}
/// Launches that are under way go on: their tasks hold the commands.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call([&](Runtime& state, auto&) { return state.executables.remove(executable) ? cudaSuccess : cudaErrorInvalidValue; });
}
}
