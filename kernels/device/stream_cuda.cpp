#include <algorithm>

#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_stream.hpp"

namespace detbench::cuda {
namespace {

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(cudaEvent_t event) : event_(event) {}
  CudaEvent(const CudaEvent&) = delete;
  ~CudaEvent() override { cudaEventDestroy(event_); }
  Result<double> seconds_since(const Event& earlier) const override {
    const auto* other = dynamic_cast<const CudaEvent*>(&earlier);
    if (!other) return invalid_input("the earlier event belongs to another device");
    float milliseconds = 0;
    DETBENCH_CUDA_TRY(cudaEventElapsedTime(&milliseconds, other->event_, event_));
    return static_cast<double>(milliseconds) * 1e-3;
  }
  cudaEvent_t native() const { return event_; }

 private:
  cudaEvent_t event_;
};

class CudaGraph final : public CapturedWork {
 public:
  explicit CudaGraph(cudaGraph_t graph) : graph_(graph) {}
  CudaGraph(const CudaGraph&) = delete;
  ~CudaGraph() override {
    drop_executable();
    cudaGraphDestroy(graph_);
  }
  Status enqueue(Stream& stream) override {
    if (!executable_) return failure("the captured work was not instantiated");
    DETBENCH_CUDA_TRY(cudaGraphLaunch(executable_, cuda::native(stream)));
    return {};
  }
  Status instantiate() override {
    drop_executable();
    DETBENCH_CUDA_TRY(cudaGraphInstantiate(&executable_, graph_, 0));
    return {};
  }

 private:
  void drop_executable() {
    if (executable_) cudaGraphExecDestroy(executable_);
    executable_ = nullptr;
  }
  cudaGraph_t graph_;
  cudaGraphExec_t executable_ = nullptr;
};

class CudaStream final : public Stream {
 public:
  CudaStream(cudaStream_t stream, std::shared_ptr<GreenContext> green) : green_(std::move(green)), stream_(stream) {}
  CudaStream(const CudaStream&) = delete;
  // The stream goes before its green context, which is a member and outlives this body.
  ~CudaStream() override { cudaStreamDestroy(stream_); }

  Status record(Event& event) override {
    auto* own = dynamic_cast<CudaEvent*>(&event);
    if (!own) return invalid_input("the event belongs to another device than this CUDA stream");
    DETBENCH_CUDA_TRY(cudaEventRecord(own->native(), stream_));
    return {};
  }
  Status wait() override {
    DETBENCH_CUDA_TRY(cudaStreamSynchronize(stream_));
    return {};
  }
  Status wait_for(const Event& event) override {
    const auto* own = dynamic_cast<const CudaEvent*>(&event);
    if (!own) return invalid_input("the event belongs to another device than this CUDA stream");
    DETBENCH_CUDA_TRY(cudaStreamWaitEvent(stream_, own->native(), 0));
    return {};
  }
  /// Thread-local mode: what other threads do (stressors, a watchdog) neither fails nor spoils the capture.
  Status begin_capture() override {
    DETBENCH_CUDA_TRY(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    return {};
  }
  Result<std::unique_ptr<CapturedWork>> end_capture() override {
    cudaGraph_t graph = nullptr;
    // The graph is null when the capture was spoiled; ending it still makes the stream usable again.
    DETBENCH_CUDA_TRY(cudaStreamEndCapture(stream_, &graph));
    if (!graph) return failure("the capture ended without a graph");
    auto work = std::make_unique<CudaGraph>(graph);
    if (Status ready = work->instantiate(); !ready) return tl::unexpected(ready.error());
    return work;
  }
  void* native() const override { return stream_; }

 private:
  std::shared_ptr<GreenContext> green_;
  cudaStream_t stream_;
};

}  // namespace

Result<std::unique_ptr<Stream>> make_stream(int priority, std::shared_ptr<GreenContext> green) {
  int least = 0, greatest = 0;
  DETBENCH_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  priority = std::clamp(priority, greatest, least);
  cudaStream_t stream = nullptr;
  if (green) {
    auto made = green->make_stream(priority);
    if (!made) return tl::unexpected(made.error());
    stream = *made;
  } else {
    DETBENCH_CUDA_TRY(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority));
  }
  return std::make_unique<CudaStream>(stream, std::move(green));
}

Result<std::unique_ptr<Event>> make_event() {
  cudaEvent_t event = nullptr;
  DETBENCH_CUDA_TRY(cudaEventCreate(&event));
  return std::make_unique<CudaEvent>(event);
}

}  // namespace detbench::cuda
