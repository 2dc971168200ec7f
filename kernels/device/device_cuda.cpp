// A GPU behind the Device interface.
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_kernels.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/guard.hpp"
#include "kernels/device/placement.hpp"
#include "kernels/tensor/digest_host.hpp"

namespace detbench {
namespace {

struct FreeDeviceMemory {
  void operator()(void* memory) const { cudaFree(memory); }
};
using Memory = std::unique_ptr<void, FreeDeviceMemory>;

Result<Memory> allocate_memory(std::size_t bytes) {
  void* memory = nullptr;
  DETBENCH_CUDA_TRY(cudaMalloc(&memory, bytes));
  return Memory(memory);
}

class CudaBuffer final : public Buffer {
 public:
  static Result<std::unique_ptr<Buffer>> make(const Placement& placement, std::size_t bytes) {
    auto memory = allocate_memory(placement.allocation_bytes);
    if (!memory) return tl::unexpected(memory.error());
    const auto address = reinterpret_cast<std::uintptr_t>(memory->get());
    auto* start = static_cast<char*>(memory->get()) + (placement.start(address) - address);
    auto buffer = std::make_unique<CudaBuffer>(std::move(*memory), start, bytes);
    for (void* zone : {start - guard_bytes, start + bytes})
      if (const Status written = cuda::enqueue_guard(zone, guard_bytes, nullptr); !written)
        return tl::unexpected(written.error());
    // Streams of ours do not wait for the default one: the guards must stand before anything else may run.
    DETBENCH_CUDA_TRY(cudaStreamSynchronize(nullptr));
    return buffer;
  }
  CudaBuffer(Memory memory, char* start, std::size_t bytes)
      : memory_(std::move(memory)), start_(start), bytes_(bytes) {}

  Region region() const override { return {start_, bytes_}; }
  /// A guard that cannot be read counts as damaged at its first byte: it must never pass for intact.
  std::optional<std::ptrdiff_t> damaged_guard() const override {
    std::array<unsigned char, guard_bytes> zone;
    const auto front = -static_cast<std::ptrdiff_t>(guard_bytes), back = static_cast<std::ptrdiff_t>(bytes_);
    if (cudaDeviceSynchronize() != cudaSuccess) return front;
    for (const std::ptrdiff_t at : {front, back}) {
      if (cudaMemcpy(zone.data(), start_ + at, guard_bytes, cudaMemcpyDeviceToHost) != cudaSuccess) return at;
      if (const auto damage = find_damage(zone.data(), guard_bytes)) return at + static_cast<std::ptrdiff_t>(*damage);
    }
    return std::nullopt;
  }

 private:
  Memory memory_;
  char* start_;
  std::size_t bytes_;
};

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

class CudaStream final : public Stream {
 public:
  explicit CudaStream(cudaStream_t stream) : stream_(stream) {}
  CudaStream(const CudaStream&) = delete;
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
  void* native() const override { return stream_; }

 private:
  cudaStream_t stream_;
};

cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }

Status check_region(const Tensor& tensor) {
  if (tensor.region.bytes >= tensor.spec.bytes()) return {};
  return invalid_input("tensor '" + tensor.spec.role + "' needs " + std::to_string(tensor.spec.bytes()) +
                       " bytes, its memory has " + std::to_string(tensor.region.bytes));
}

class CudaDevice final : public Device {
 public:
  CudaDevice(const DeviceConfiguration& configuration, const cudaDeviceProp& properties)
      : configuration_(configuration),
        name_(properties.name),
        multiprocessors_(properties.multiProcessorCount),
        l2_bytes_(static_cast<std::size_t>(std::max(properties.l2CacheSize, 1 << 20))) {}
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return name_; }
  const DeviceConfiguration& configuration() const override { return configuration_; }

  Status activate() override {
    DETBENCH_CUDA_TRY(cudaSetDevice(0));
    return {};
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes) override {
    const auto placement = place(configuration_, bytes, allocations_++);
    if (!placement) return tl::unexpected(placement.error());
    return CudaBuffer::make(*placement, bytes);
  }
  /// `priority` as CUDA counts it: 0 is the default, lower numbers go first; clamped to what the device has.
  Result<std::unique_ptr<Stream>> make_stream(int priority) override {
    int least = 0, greatest = 0;
    DETBENCH_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    cudaStream_t stream = nullptr;
    DETBENCH_CUDA_TRY(
        cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, std::clamp(priority, greatest, least)));
    return std::make_unique<CudaStream>(stream);
  }
  Result<std::unique_ptr<Event>> make_event() override {
    cudaEvent_t event = nullptr;
    DETBENCH_CUDA_TRY(cudaEventCreate(&event));
    return std::make_unique<CudaEvent>(event);
  }

  Result<Digest> digest(std::span<const Tensor> tensors, Stream& stream) override {
    const std::size_t bytes = tensors.size() * sizeof(DigestLanes);
    if (accumulator_bytes_ < bytes) {
      auto memory = allocate_memory(bytes);
      if (!memory) return tl::unexpected(memory.error());
      accumulators_ = std::move(*memory);
      accumulator_bytes_ = bytes;
    }
    auto* accumulators = static_cast<std::uint64_t*>(accumulators_.get());
    if (const Status zeroed = cuda::enqueue_poison({accumulators, bytes}, Poison::zero, 0, native(stream)); !zeroed)
      return tl::unexpected(zeroed.error());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      Status status = check_region(tensors[i]);
      if (status) status = cuda::enqueue_digest(tensors[i], accumulators + 2 * i, multiprocessors_, native(stream));
      if (!status) return tl::unexpected(status.error());
    }
    std::vector<DigestLanes> totals(tensors.size());
    if (const Status copied = copy_to_host(totals.data(), {accumulators, bytes}, stream); !copied)
      return tl::unexpected(copied.error());
    std::vector<Digest> digests;
    for (std::size_t i = 0; i < tensors.size(); ++i) digests.push_back(finish_digest(tensors[i].spec, totals[i]));
    return combine(digests);
  }

  Status fill(const Tensor& tensor, const FillSpec& spec, Stream& stream) override {
    if (Status fits = check_region(tensor); !fits) return fits;
    return cuda::enqueue_fill(tensor, spec, native(stream));
  }
  Status poison(Region region, Poison poison, std::uint64_t seed, Stream& stream) override {
    return cuda::enqueue_poison(region, poison, seed, native(stream));
  }
  // Copies to and from the host are done when they return: whether the memory is pinned must not decide that.
  Status copy_to_host(void* target, Region source, Stream& stream) override {
    DETBENCH_CUDA_TRY(cudaMemcpyAsync(target, source.data, source.bytes, cudaMemcpyDeviceToHost, native(stream)));
    return stream.wait();
  }
  Status copy_from_host(Region target, const void* source, Stream& stream) override {
    DETBENCH_CUDA_TRY(cudaMemcpyAsync(target.data, source, target.bytes, cudaMemcpyHostToDevice, native(stream)));
    return stream.wait();
  }
  Status copy(Region target, Region source, Stream& stream) override {
    if (target.bytes != source.bytes)
      return invalid_input("cannot copy " + std::to_string(source.bytes) + " bytes into " +
                           std::to_string(target.bytes));
    DETBENCH_CUDA_TRY(
        cudaMemcpyAsync(target.data, source.data, source.bytes, cudaMemcpyDeviceToDevice, native(stream)));
    return {};
  }
  Status evict_caches(Stream& stream) override {
    const std::size_t bytes = 2 * l2_bytes_;  // twice: replacement is not exactly least recently used
    if (!eviction_) {
      auto memory = allocate_memory(bytes);
      if (!memory) return tl::unexpected(memory.error());
      eviction_ = std::move(*memory);
    }
    return cuda::enqueue_eviction(eviction_.get(), bytes, ++eviction_count_, native(stream));
  }

 private:
  DeviceConfiguration configuration_;
  std::string name_;
  int multiprocessors_;
  std::size_t l2_bytes_;
  std::uint64_t allocations_ = 0;
  Memory accumulators_, eviction_;
  std::size_t accumulator_bytes_ = 0;
  std::uint32_t eviction_count_ = 0;
};

tl::unexpected<Reason> no_backend(const std::string& why) { return unsupported("no CUDA backend here: " + why); }

}  // namespace

Result<std::unique_ptr<Device>> make_cuda_device(const DeviceConfiguration& configuration) {
  if (const Status checked = check_placement(configuration); !checked) return tl::unexpected(checked.error());
  int count = 0;
  // Without a driver the runtime answers "insufficient driver", without a GPU "no device": both mean the same here.
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    cudaGetLastError();
    return no_backend(cudaGetErrorString(error));
  }
  if (count == 0) return no_backend("no GPU is visible");
  DETBENCH_CUDA_TRY(cudaSetDevice(0));
  cudaDeviceProp properties;
  DETBENCH_CUDA_TRY(cudaGetDeviceProperties(&properties, 0));
  if (const Status image = cuda::check_kernel_image(); !image) {
    const std::string architecture = std::to_string(properties.major) + std::to_string(properties.minor);
    return no_backend("this build has no code for sm_" + architecture +
                      " (configure with DETBENCH_CUDA_ARCHITECTURES=" + architecture + "); " + image.error().text);
  }
  return std::make_unique<CudaDevice>(configuration, properties);
}

}  // namespace detbench
