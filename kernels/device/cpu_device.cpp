// The CPU behind the Device interface: work is done when a call returns, so streams and events are simple.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "kernels/device/cpu_cache.hpp"
#include "kernels/device/device.hpp"
#include "kernels/device/guard.hpp"
#include "kernels/device/host_memory.hpp"
#include "kernels/device/placement.hpp"
#include "kernels/device/poison.hpp"

namespace detbench {
namespace {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

class CpuBuffer final : public Buffer {
 public:
  CpuBuffer(Memory memory, char* start, std::size_t bytes) : memory_(std::move(memory)), start_(start), bytes_(bytes) {
    write_guard(start_ - guard_bytes, guard_bytes);
    write_guard(start_ + bytes_, guard_bytes);
  }
  Region region() const override { return {start_, bytes_}; }
  std::optional<std::ptrdiff_t> damaged_guard() const override {
    if (const auto at = find_damage(start_ - guard_bytes, guard_bytes))
      return static_cast<std::ptrdiff_t>(*at) - static_cast<std::ptrdiff_t>(guard_bytes);
    if (const auto at = find_damage(start_ + bytes_, guard_bytes)) return static_cast<std::ptrdiff_t>(bytes_ + *at);
    return std::nullopt;
  }

 private:
  Memory memory_;
  char* start_;
  std::size_t bytes_;
};

class CpuEvent final : public Event {
 public:
  using Clock = std::chrono::steady_clock;
  Result<double> seconds_since(const Event& earlier) const override {
    const auto* other = dynamic_cast<const CpuEvent*>(&earlier);
    if (!other) return invalid_input("the earlier event belongs to another device");
    if (!recorded_ || !other->recorded_) return invalid_input("both events must have been recorded");
    return std::chrono::duration<double>(time_ - other->time_).count();
  }
  void record() {
    time_ = Clock::now();
    recorded_ = true;
  }

 private:
  Clock::time_point time_;
  bool recorded_ = false;
};

class CpuStream final : public Stream {
 public:
  Status record(Event& event) override {
    auto* own = dynamic_cast<CpuEvent*>(&event);
    if (!own) return invalid_input("the event belongs to another device than this CPU stream");
    own->record();
    return {};
  }
  Status wait() override { return {}; }
  Status wait_for(const Event&) override { return {}; }  // what was enqueued earlier, anywhere, is done
  void* native() const override { return nullptr; }
};

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "CPU";
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const DeviceConfiguration& configuration) : configuration_(configuration) {
    if (configuration_.threads == 0) configuration_.threads = available_cores();
  }
  DeviceKind kind() const override { return DeviceKind::cpu; }
  std::string name() const override { return processor_name(); }
  const DeviceConfiguration& configuration() const override { return configuration_; }

  Result<std::uint64_t> available_memory_bytes() override { return available_host_memory_bytes(); }

  Status activate() override {
    omp_set_num_threads(configuration_.threads);
    return {};
  }

  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override {
    const auto placement = place(configuration_, bytes, element_bytes, allocations_++);
    if (!placement) return tl::unexpected(placement.error());
    Memory memory(std::malloc(placement->allocation_bytes));
    if (!memory)
      return failure("cannot allocate " + std::to_string(bytes) + " bytes of host memory", Reason::Kind::out_of_memory);
    auto* allocation = static_cast<char*>(memory.get());
    const auto address = reinterpret_cast<std::uintptr_t>(allocation);
    char* start = allocation + (placement->start(address) - address);
    return std::make_unique<CpuBuffer>(std::move(memory), start, bytes);
  }
  Result<std::unique_ptr<Stream>> make_stream(int) override { return std::make_unique<CpuStream>(); }
  Result<std::unique_ptr<Event>> make_event() override { return std::make_unique<CpuEvent>(); }

  Result<Digest> digest(std::span<const Tensor> tensors, Stream&) override {
    for (const Tensor& tensor : tensors)
      if (const Status fits = check_region(tensor); !fits) return tl::unexpected(fits.error());
    return digest_on_host(tensors);
  }
  Status fill(const Tensor& tensor, const FillSpec& spec, Stream&) override { return fill_on_host(tensor, spec); }

  Status poison(Region region, Poison poison, std::uint64_t seed, Stream&) override {
    poison_on_host(region, poison, seed);
    return {};
  }
  Status copy_to_host(void* target, Region source, Stream&) override {
    copy_bytes(target, source.data, source.bytes);
    return {};
  }
  Status copy_from_host(Region target, const void* source, Stream&) override {
    copy_bytes(target.data, source, target.bytes);
    return {};
  }
  Status copy(Region target, Region source, Stream&) override {
    if (target.bytes != source.bytes)
      return invalid_input("cannot copy " + std::to_string(source.bytes) + " bytes into " +
                           std::to_string(target.bytes));
    copy_bytes(target.data, source.data, source.bytes);
    return {};
  }

  Status evict_caches(Stream&) override {
    if (!eviction_) {
      // Half as much again, because replacement is not exactly least recently used.
      const std::size_t caches = total_cache_bytes();
      eviction_bytes_ = std::min<std::size_t>(caches ? caches + caches / 2 : 96u << 20, std::size_t{1} << 30);
      eviction_.reset(std::malloc(eviction_bytes_));
      if (!eviction_)
        return failure("cannot allocate " + std::to_string(eviction_bytes_) + " bytes to evict the caches",
                       Reason::Kind::out_of_memory);
    }
    auto* memory = static_cast<unsigned char*>(eviction_.get());
    const int value = ++eviction_count_ & 0xFF;
    const auto pieces = static_cast<std::int64_t>(eviction_bytes_ >> 16);
#pragma omp parallel for schedule(static)
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      // Stores of one byte per cache line: memset may go around the caches, and would then evict nothing.
      volatile unsigned char* at = memory + (piece << 16);
      for (int i = 0; i < 1 << 16; i += 64) at[i] = static_cast<unsigned char>(value);
    }
    return {};
  }

 private:
  static void copy_bytes(void* target, const void* source, std::size_t bytes) {
    if (bytes) std::memmove(target, source, bytes);
  }
  static Status check_region(const Tensor& tensor) {
    if (tensor.region.bytes >= tensor.spec.bytes()) return {};
    return invalid_input("tensor '" + tensor.spec.role + "' needs " + std::to_string(tensor.spec.bytes()) +
                         " bytes, its memory has " + std::to_string(tensor.region.bytes));
  }

  DeviceConfiguration configuration_;
  std::uint64_t allocations_ = 0;
  Memory eviction_;
  std::size_t eviction_bytes_ = 0;
  int eviction_count_ = 0;
};

}  // namespace

Result<std::unique_ptr<Device>> make_cpu_device(const DeviceConfiguration& configuration) {
  if (configuration.threads < 0 || configuration.threads > 4096)
    return invalid_input("threads " + std::to_string(configuration.threads) + " is outside [0, 4096]");
  if (configuration.sm_count_target != 0 || configuration.multiprocessors != 0)
    return unsupported("a CPU has no multiprocessors to aim at or to keep to: sm_count_target and multiprocessors must be 0");
  if (configuration.allocator != Allocator::plain)
    return unsupported("a CPU's buffers come from the plain allocator: there is no pool");
  if (const Status checked = check_placement(configuration); !checked) return tl::unexpected(checked.error());
  return std::make_unique<CpuDevice>(configuration);
}

}  // namespace detbench
