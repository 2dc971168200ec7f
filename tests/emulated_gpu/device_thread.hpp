// What the emulated GPU has to do, and the thread that does it. A task begins when the tasks it comes after are done, and among
// those that may run any may come first: kernels of several streams take turns, and what waits for nothing may start late.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <driver_types.h>

#include "tests/emulated_gpu/machine.hpp"

namespace detbench::emulated {

/// Does its work on the device thread and returns nullptr, or the kernel that it starts.
using Command = std::function<std::unique_ptr<Run>()>;

struct Task;
using TaskPointer = std::shared_ptr<Task>;

/// Everything here needs the runtime's mutex, which the thread lets go of while it works.
class DeviceThread {
 public:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  DeviceThread(std::mutex& mutex, const Schedule& schedule) : mutex_(mutex), schedule_(schedule), random_(schedule.seed) {}

  /// `command` may be empty: a point in the order of things. Null and finished tasks in `after` count as done.
  TaskPointer submit(Command command, const std::vector<TaskPointer>& after);
  static bool done(const TaskPointer& task);
  /// When it was done.
  static Clock::time_point done_at(const TaskPointer& task);
  /// Both return at once when the device is lost.
  void wait(Lock& lock, const TaskPointer& task);
  void wait_for_all(Lock& lock);

  /// The error that every call returns from now on, cudaSuccess as long as none happened.
  cudaError_t lost() const { return lost_; }
  /// Ends the thread after the turn it is at; for the end of the program. Nothing can be submitted afterwards.
  void stop();

 private:
  void work();
  std::vector<TaskPointer> in_turn();
  void give_turn(Lock& lock, const TaskPointer& task);
  void finish(const TaskPointer& task);
  void lose(const Fault& fault);
  template <class Ready>
  void wait_until(Lock& lock, Ready ready);

  std::mutex& mutex_;
  Schedule schedule_;
  std::mt19937_64 random_;
  std::condition_variable work_changed_, task_finished_;
  std::thread thread_;
  std::vector<TaskPointer> ready_;
  std::set<std::uint64_t> unfinished_;
  std::uint64_t submitted_ = 0;
  int waiting_hosts_ = 0;
  bool stopping_ = false;
  cudaError_t lost_ = cudaSuccess;
};

/// The order that the environment variable DETBENCH_EMULATED_GPU_ORDER asks for: in_order (also without the variable), reversed,
/// random:SEED. Ends the program with a message for anything else: a test must not pass under another order than it names.
Schedule schedule_of_environment();

}  // namespace detbench::emulated
