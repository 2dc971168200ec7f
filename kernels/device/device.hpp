// Device, Stream, Event, Buffer: interfaces without vendor headers; cpu and cuda stand behind them (DESIGN section 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/result.hpp"
#include "kernels/tensor/digest.hpp"
#include "kernels/tensor/fill.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// Where a GPU's buffers come from: an allocation each, or the device's memory pool, which reuses what was freed.
enum class Allocator { plain, pool };

/// What a configuration scope varies (METHOD section 3). Plans are made anew for every configuration. What a backend
/// does not know, it refuses with a reason when the device is made.
struct DeviceConfiguration {
  int threads = 0;                     ///< CPU threads that plans are made for; 0: every core this process may use
  std::size_t alignment_bytes = 4096;  ///< each buffer starts at a multiple of this ...
  std::size_t offset_bytes = 0;        ///< ... plus this
  std::uint64_t placement_seed = 0;    ///< other than 0: buffers are separated by seeded gaps, so addresses move
  Allocator allocator = Allocator::plain;
  /// GPU: plans are made as if it had so many multiprocessors (cuDNN's and cuBLAS's target), which picks other kernels
  /// or grids; 0: as many as there are.
  /// A plan that heeds it says so (Plan::sm_count_target).
  int sm_count_target = 0;
  /// GPU: streams run on so many multiprocessors (a green context), which changes the schedule of the same kernels;
  /// 0: on the whole GPU.
  int multiprocessors = 0;
};

/// What memory is overwritten with before a run, so that unwritten outputs and uninitialised reads show.
enum class Poison { nan_pattern, zero, random };

/// Memory with guard zones before and behind it (METHOD section 2).
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual Region region() const = 0;
  /// The first damaged guard byte, as an offset from the region's start (negative: before it); nullopt: intact.
  /// To be asked after the streams that write have been waited for; a guard that cannot be read counts as damaged.
  virtual std::optional<std::ptrdiff_t> damaged_guard() const = 0;
};

class Event {
 public:
  virtual ~Event() = default;
  /// Seconds from `earlier` to this; both must have been recorded and reached.
  virtual Result<double> seconds_since(const Event& earlier) const = 0;
};

class Stream;

/// What was enqueued while a stream was capturing, ready to be run again as one (a CUDA graph).
class CapturedWork {
 public:
  virtual ~CapturedWork() = default;
  virtual Status enqueue(Stream& stream) = 0;
  /// Makes the executable form anew from what was captured, in place of the one that end_capture() made; to be called
  /// when no run of the old one is under way.
  virtual Status instantiate() = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  virtual Status record(Event& event) = 0;
  virtual Status wait() = 0;           ///< blocks the host until all that was enqueued is done
  /// What is enqueued from here on starts only when the event, recorded on another stream, has been reached; the host goes on.
  virtual Status wait_for(const Event&) { return unsupported("this device cannot order streams"); }
  /// From here to end_capture() work put on this stream is recorded instead of run. Unsupported on a CPU. What the
  /// calling thread may not do meanwhile (allocate, wait) fails and spoils the capture; other threads may do anything.
  /// end_capture() has to follow in any case, or the stream stays unusable.
  virtual Status begin_capture() { return unsupported("this device captures nothing"); }
  virtual Result<std::unique_ptr<CapturedWork>> end_capture() { return unsupported("this device captures nothing"); }
  virtual void* native() const = 0;    ///< cudaStream_t, or nullptr on a CPU, where enqueue() runs at once
};

enum class DeviceKind { cpu, cuda };

/// How a GPU's multiprocessors can be divided; all 0 where there are none, the last two also where the driver cannot.
struct MultiprocessorLimits {
  int count = 0;               ///< of the whole GPU
  int smallest_partition = 0;  ///< fewest in a partition ...
  int partition_step = 0;      ///< ... whose size is a multiple of this
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceKind kind() const = 0;
  virtual std::string name() const = 0;
  /// As given, with threads = 0 replaced by the number it stands for (on a CPU), and multiprocessors by what the
  /// driver made of it.
  virtual const DeviceConfiguration& configuration() const = 0;
  /// Makes this device's configuration the one in force for the calling thread (omp_set_num_threads, cudaSetDevice).
  /// Called before plans are made and before a batch of enqueue() calls.
  virtual Status activate() = 0;

  virtual MultiprocessorLimits multiprocessors() const { return {}; }
  /// Bytes that can still be allocated here: on a CPU what the system calls available, within the control group's limit.
  virtual Result<std::uint64_t> available_memory_bytes() { return unsupported("this device does not say how much memory is left"); }
  /// A reason once an error has left the device unusable for the rest of this process (on a GPU: an illegal address and
  /// the like, after which every call fails). Waits for what was enqueued.
  virtual Status usable() { return {}; }

  /// The configuration's offset is rounded up to a multiple of `element_bytes` (a power of two): a tensor of f32 cannot
  /// begin at byte 2, where one of f16 can.
  virtual Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes = 1) = 0;
  /// Priority as CUDA counts it: lower numbers go first; clamped to what the device has, and without meaning on a CPU.
  virtual Result<std::unique_ptr<Stream>> make_stream(int priority = 0) = 0;
  virtual Result<std::unique_ptr<Event>> make_event() = 0;

  virtual Result<Digest> digest(std::span<const Tensor> tensors, Stream& stream) = 0;
  virtual Status fill(const Tensor& tensor, const FillSpec& spec, Stream& stream) = 0;
  virtual Status poison(Region region, Poison poison, std::uint64_t seed, Stream& stream) = 0;
  /// Copies from and to host memory are done when they return; copy() is enqueued.
  virtual Status copy_to_host(void* target, Region source, Stream& stream) = 0;
  virtual Status copy_from_host(Region target, const void* source, Stream& stream) = 0;
  virtual Status copy(Region target, Region source, Stream& stream) = 0;
  /// Writes more than the last-level cache, so that the next run starts cold.
  virtual Status evict_caches(Stream& stream) = 0;
};

/// Cores this process may use: its affinity mask, and the CPU quota of its control group rounded down; at least 1.
int available_cores();

/// Refuses sm_count_target, multiprocessors and the pool allocator, which a CPU does not have.
Result<std::unique_ptr<Device>> make_cpu_device(const DeviceConfiguration& configuration = {});
/// Ignores threads, which no kernel sees. Refuses an SM-count target above what the GPU has, and a partition or a pool
/// that the driver cannot make. A reason when the build has no CUDA, the driver is missing or too old, or there is no GPU: all three mean "no CUDA
/// backend here". After an error that sticks a reason of kind `failed`, "the GPU is lost to this process".
Result<std::unique_ptr<Device>> make_cuda_device(const DeviceConfiguration& configuration = {});

}  // namespace detbench
