// Loads on a GPU, and the evidence that they change the schedule. Plain header; where the build has no CUDA every function
// answers with the reason.
//
// Every load ends by itself: its kernels read the GPU's own clock (%globaltimer) and leave at the deadline, which the first
// block to run fixes for all of them, even if the host is gone by then; a flag in mapped host memory ends it earlier. And
// every load leaves room: never more blocks than all but one of each eight multiprocessors, blocks that find themselves on
// the one that is kept leave at once, and none takes more than half of a multiprocessor's shared memory. A kernel that waits
// for all of its blocks (grid barriers: cooperative launches, stream-K, split-K with counters, persistent batch norm) may
// still find too little room beside a load; it then waits until the load's deadline, at most `limit_s`, because nothing
// restarts the load before that run is over. What hangs beyond that hangs without a load too, and is the watchdog's (the
// parent kills the worker when its time is up).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/device/load_plan.hpp"

namespace detbench {

class GpuLoad {
 public:
  virtual ~GpuLoad() = default;
  /// Enqueues the bursts on a stream of lowest priority and returns; ends what was started before.
  virtual Status start(std::uint64_t seed, double limit_s) = 0;
  virtual void stop() noexcept = 0;  ///< waits until it has ended; may be called twice
  virtual bool running() const noexcept = 0;
  /// Rounds of work of all blocks since the first start(), as far as they have told the host.
  virtual std::uint64_t work() const noexcept = 0;
};

/// For the device that is active. Unsupported without CUDA, or on a GPU too small to leave room.
Result<std::unique_ptr<GpuLoad>> make_gpu_load(GpuLoadKind kind);

/// One short kernel on a stream of a CUDA device.
Status enqueue_short_load(Stream& stream, const ShortLoad& load);

/// Where and when the blocks of one launch began: multiprocessor and ticket (0 for the first to draw one) of each block.
struct BlockSchedule {
  std::vector<std::uint32_t> multiprocessor, ticket;
};
/// Runs a kernel of so many blocks and reads where and when each began. Everything it needs is there once it is made,
/// and the kernel has run once: beside a load nothing may be allocated, freed or loaded, which would wait for its end.
class ScheduleRecorder {
 public:
  /// Unsupported on a CPU. Device and stream must outlive it.
  static Result<std::unique_ptr<ScheduleRecorder>> make(Device& device, Stream& stream, int blocks);
  /// Waits for the stream.
  Result<BlockSchedule> record();

 private:
  ScheduleRecorder(Device& device, Stream& stream, int blocks, std::unique_ptr<Buffer> memory)
      : device_(device), stream_(stream), blocks_(blocks), memory_(std::move(memory)) {}
  Device& device_;
  Stream& stream_;
  int blocks_;
  std::unique_ptr<Buffer> memory_;  ///< multiprocessors, tickets, and the counter that tickets are drawn from
};

struct ScheduleChange {
  int blocks = 0;
  int moved = 0;      ///< blocks on another multiprocessor
  int reordered = 0;  ///< blocks with another ticket
};
/// Both of the same number of blocks.
ScheduleChange compare_schedules(const BlockSchedule& a, const BlockSchedule& b);

}  // namespace detbench
