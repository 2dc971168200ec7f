// A GPU behind the Device interface.
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/device/cuda_allocation.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_kernels.hpp"
#include "kernels/device/cuda_stream.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/guard.hpp"
#include "kernels/device/placement.hpp"
#include "kernels/tensor/digest_host.hpp"

namespace detbench {
namespace {

using cuda::allocate_memory;
using cuda::Memory;
using cuda::native;

class CudaBuffer final : public Buffer {
 public:
  static Result<std::unique_ptr<Buffer>> make(const Placement& placement, std::size_t bytes,
                                              std::shared_ptr<cuda::MemoryPool> pool) {
    auto memory = allocate_memory(placement.allocation_bytes, std::move(pool));
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

Status check_region(const Tensor& tensor) {
  if (tensor.region.bytes >= tensor.spec.bytes()) return {};
  return invalid_input("tensor '" + tensor.spec.role + "' needs " + std::to_string(tensor.spec.bytes()) +
                       " bytes, its memory has " + std::to_string(tensor.region.bytes));
}

class CudaDevice final : public Device {
 public:
  CudaDevice(const DeviceConfiguration& configuration, const cudaDeviceProp& properties,
             std::shared_ptr<cuda::GreenContext> green, std::shared_ptr<cuda::MemoryPool> pool)
      : configuration_(configuration),
        name_(properties.name),
        limits_(cuda::multiprocessor_limits(properties.multiProcessorCount)),
        l2_bytes_(static_cast<std::size_t>(std::max(properties.l2CacheSize, 1 << 20))),
        green_(std::move(green)),
        pool_(std::move(pool)) {
    if (green_) configuration_.multiprocessors = green_->multiprocessors();
  }
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return name_; }
  const DeviceConfiguration& configuration() const override { return configuration_; }
  MultiprocessorLimits multiprocessors() const override { return limits_; }

  Status activate() override {
    DETBENCH_CUDA_TRY(cudaSetDevice(0));
    return {};
  }
  /// Only an error that sticks fails here: one that was reported and passed is off the runtime by now.
  Result<std::uint64_t> available_memory_bytes() override {
    std::size_t free_bytes = 0, total_bytes = 0;
    DETBENCH_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
    return static_cast<std::uint64_t>(free_bytes);
  }

  Status usable() override {
    DETBENCH_CUDA_TRY(cudaDeviceSynchronize());
    return {};
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override {
    const auto placement = place(configuration_, bytes, element_bytes, allocations_++);
    if (!placement) return tl::unexpected(placement.error());
    return CudaBuffer::make(*placement, bytes, pool_);
  }
  Result<std::unique_ptr<Stream>> make_stream(int priority) override { return cuda::make_stream(priority, green_); }
  Result<std::unique_ptr<Event>> make_event() override { return cuda::make_event(); }

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
      if (status) status = cuda::enqueue_digest(tensors[i], accumulators + 2 * i, limits_.count, native(stream));
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
  MultiprocessorLimits limits_;
  std::size_t l2_bytes_;
  std::shared_ptr<cuda::GreenContext> green_;
  std::shared_ptr<cuda::MemoryPool> pool_;
  std::uint64_t allocations_ = 0;
  Memory accumulators_, eviction_;
  std::size_t accumulator_bytes_ = 0;
  std::uint32_t eviction_count_ = 0;
};

/// Errors after which every call of this process fails: no lack of a backend, and nothing that another try mends.
bool sticks(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable: return true;
    default: return false;
  }
}

tl::unexpected<Reason> no_backend(const std::string& why) { return unsupported("no CUDA backend here: " + why); }

}  // namespace

Result<std::unique_ptr<Device>> make_cuda_device(const DeviceConfiguration& configuration) {
  if (const Status checked = check_placement(configuration); !checked) return tl::unexpected(checked.error());
  int count = 0;
  const cudaError_t counted = cudaGetDeviceCount(&count);
  cudaError_t error = counted;
  if (error == cudaSuccess && count > 0) error = cudaSetDevice(0);
  if (error == cudaSuccess && count > 0) error = cudaStreamQuery(nullptr);  // tells of sticky errors without waiting
  if (error != cudaSuccess) cudaGetLastError();
  if (sticks(error)) return failure(std::string("the GPU is lost to this process: ") + cudaGetErrorString(error));
  // Without a driver the runtime answers "insufficient driver", without a GPU "no device": both mean the same here.
  if (counted != cudaSuccess) return no_backend(cudaGetErrorString(counted));
  if (count == 0) return no_backend("no GPU is visible");
  if (error != cudaSuccess && error != cudaErrorNotReady)
    return tl::unexpected<Reason>(cuda_reason(error, "cudaSetDevice(0)", __FILE__));
  cudaDeviceProp properties;
  DETBENCH_CUDA_TRY(cudaGetDeviceProperties(&properties, 0));
  if (const Status image = cuda::check_kernel_image(); !image) {
    const std::string architecture = std::to_string(properties.major) + std::to_string(properties.minor);
    return no_backend("this build has no code for sm_" + architecture +
                      " (configure with DETBENCH_CUDA_ARCHITECTURES=" + architecture + "); " + image.error().text);
  }
  const int processors = properties.multiProcessorCount;
  if (configuration.sm_count_target < 0 || configuration.sm_count_target > processors)
    return invalid_input("sm_count_target " + std::to_string(configuration.sm_count_target) + " is outside [0, " +
                         std::to_string(processors) + "], what this GPU has");
  if (configuration.multiprocessors < 0 || configuration.multiprocessors > processors)
    return invalid_input("multiprocessors " + std::to_string(configuration.multiprocessors) + " is outside [0, " +
                         std::to_string(processors) + "], what this GPU has");
  std::shared_ptr<cuda::GreenContext> green;
  if (configuration.multiprocessors > 0) {
    auto made = cuda::GreenContext::make(configuration.multiprocessors);
    if (!made) return tl::unexpected(made.error());
    green = std::move(*made);
  }
  std::shared_ptr<cuda::MemoryPool> pool;
  if (configuration.allocator == Allocator::pool) {
    auto made = cuda::MemoryPool::make();
    if (!made) return tl::unexpected(made.error());
    pool = std::move(*made);
  }
  return std::make_unique<CudaDevice>(configuration, properties, std::move(green), std::move(pool));
}

}  // namespace detbench
