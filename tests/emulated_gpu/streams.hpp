// Streams, events and what is being captured from them. Everything here needs the runtime's mutex.
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "tests/emulated_gpu/device_thread.hpp"

/// Commands in an order that only their dependencies set; what cudaGraph_t points to.
struct CUgraph_st {
  struct Node {
    detbench::emulated::Command command;
    std::vector<std::size_t> after;  ///< earlier nodes
  };
  std::vector<Node> nodes;
};

namespace detbench::emulated {

/// A capture from its beginning to its end, shared by the streams that take part in it.
struct Capture {
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  CUstream_st* origin;
  CUgraph_st graph;
  bool invalidated = false;
  bool over = false;
};
using CapturePointer = std::shared_ptr<Capture>;

}  // namespace detbench::emulated

/// What cudaStream_t points to. The legacy default stream is one that has nothing but this to tell it from others.
struct CUstream_st {
  bool legacy = false;
  bool blocking = true;  ///< waits for the legacy default stream and makes it wait
  int priority = 0;
  int multiprocessors = 0;  ///< of the green context; 0: all
  detbench::emulated::TaskPointer tail{};          ///< the last thing that was enqueued
  detbench::emulated::CapturePointer capture{};
  std::vector<std::size_t> frontier{};             ///< nodes that the next captured one comes after
};

/// What cudaEvent_t points to.
struct CUevent_st {
  bool has_time = true;
  detbench::emulated::TaskPointer recorded{};
  detbench::emulated::CapturePointer capture{};    ///< the last record was captured, after these nodes
  std::vector<std::size_t> frontier{};
};

/// What cudaGraphExec_t points to.
struct CUgraphExec_st {
  CUgraph_st graph;
  detbench::emulated::TaskPointer last{};  ///< launches of one executable graph follow each other
};

namespace detbench::emulated {

/// Puts `command` at the end of the stream, or into the graph that is captured from it.
cudaError_t enqueue(CUstream_st& stream, Command command);
/// What the next task of this stream comes after, by the rules of the legacy default stream.
std::vector<TaskPointer> predecessors(const CUstream_st& stream);
cudaError_t enqueue_graph(CUstream_st& stream, CUgraphExec_st& executable);

cudaError_t record(CUevent_st& event, CUstream_st& stream);
cudaError_t wait_for_event(CUstream_st& stream, CUevent_st& event);

cudaError_t begin_capture(CUstream_st& stream, cudaStreamCaptureMode mode);
cudaError_t end_capture(CUstream_st& stream, cudaGraph_t* graph);
/// cudaSuccess, or the error of a call that may not be made while this stream (or event) is being captured; the capture is
/// invalidated then.
cudaError_t refuse_capturing(const CapturePointer& capture);
/// The same for calls that could wait for a captured stream by a side door: allocation, whole-device waits. Any capture that
/// this thread began, other than in relaxed mode, or another thread in global mode forbids them.
cudaError_t refuse_unsafe();
/// For calls that use the legacy default stream, which must not come to depend on a blocking stream that is captured.
cudaError_t refuse_legacy();
/// The stream goes away: its capture cannot be ended any more.
void abandon(CUstream_st& stream);

}  // namespace detbench::emulated
