#include "tests/emulated_gpu/device_thread.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace detbench::emulated {
namespace {

/// Warp instructions of one turn: some 100 microseconds.
constexpr std::uint64_t turn = 4096;
/// How late a task may start that nobody waits for.
constexpr std::uint64_t latest_start_us = 500;

cudaError_t error_of(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::illegal_address: return cudaErrorIllegalAddress;
    case Fault::Kind::misaligned_address: return cudaErrorMisalignedAddress;
    case Fault::Kind::illegal_instruction: return cudaErrorIllegalInstruction;
    case Fault::Kind::race:
    case Fault::Kind::unsupported: break;
  }
  return cudaErrorLaunchFailure;
}

}  // namespace

struct Task {
  Command command;
  std::unique_ptr<Run> run;
  std::vector<TaskPointer> followers;
  std::uint64_t number = 0;
  int waits_for = 0;
  bool started = false, done = false;
  DeviceThread::Clock::time_point may_start, done_at;
};

bool DeviceThread::done(const TaskPointer& task) { return !task || task->done; }
DeviceThread::Clock::time_point DeviceThread::done_at(const TaskPointer& task) { return task->done_at; }

TaskPointer DeviceThread::submit(Command command, const std::vector<TaskPointer>& after) {
  auto task = std::make_shared<Task>();
  task->command = std::move(command);
  task->number = ++submitted_;
  if (stopping_ || lost_ != cudaSuccess) {
    task->done = true;
    return task;
  }
  // A GPU starts what it is given some time later; only a host that waits can tell when.
  task->may_start = Clock::now();
  if (schedule_.order != Schedule::Order::in_order) task->may_start += std::chrono::microseconds(random_() % latest_start_us);
  unfinished_.insert(task->number);
  for (const auto& earlier : after) {
    if (done(earlier)) continue;
    earlier->followers.push_back(task);
    ++task->waits_for;
  }
  if (task->waits_for == 0) ready_.push_back(task);
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  work_changed_.notify_one();
  return task;
}

template <class Ready>
void DeviceThread::wait_until(Lock& lock, Ready ready) {
  ++waiting_hosts_;
  work_changed_.notify_one();
  task_finished_.wait(lock, [&] { return lost_ != cudaSuccess || stopping_ || ready(); });
  --waiting_hosts_;
}

void DeviceThread::wait(Lock& lock, const TaskPointer& task) {
  wait_until(lock, [&] { return done(task); });
}

void DeviceThread::wait_for_all(Lock& lock) {
  const std::uint64_t last = submitted_;
  wait_until(lock, [&] { return unfinished_.empty() || *unfinished_.begin() > last; });
}

void DeviceThread::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    work_changed_.notify_one();
    task_finished_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

/// The tasks that may have a turn, in the order of their turns.
std::vector<TaskPointer> DeviceThread::in_turn() {
  const auto now = Clock::now();
  std::vector<TaskPointer> tasks;
  for (const auto& task : ready_)
    if (task->started || waiting_hosts_ > 0 || task->may_start <= now) tasks.push_back(task);
  const auto number = [](const TaskPointer& task) { return task->number; };
  std::ranges::sort(tasks, {}, number);
  if (schedule_.order == Schedule::Order::reversed) std::ranges::reverse(tasks);
  if (schedule_.order == Schedule::Order::random) std::ranges::shuffle(tasks, random_);
  return tasks;
}

void DeviceThread::work() {
  Lock lock(mutex_);
  while (!stopping_ && lost_ == cudaSuccess) {
    const auto tasks = in_turn();
    if (tasks.empty()) {
      auto next = Clock::time_point::max();
      for (const auto& task : ready_) next = std::min(next, task->may_start);
      if (ready_.empty())
        work_changed_.wait(lock);
      else
        work_changed_.wait_until(lock, next);
      continue;
    }
    for (const auto& task : tasks) {
      if (stopping_ || lost_ != cudaSuccess) break;
      give_turn(lock, task);
    }
  }
}

void DeviceThread::give_turn(Lock& lock, const TaskPointer& task) {
  std::uint64_t length = turn;
  if (schedule_.order == Schedule::Order::reversed) length *= 16;  // the newest gets far ahead, yet the oldest goes on
  if (schedule_.order == Schedule::Order::random) length = 1 + random_() % (8 * turn);
  const bool starts = !task->started;
  task->started = true;
  lock.unlock();
  bool finished = false;
  try {
    if (starts && task->command) task->run = task->command();
    finished = !task->run || task->run->advance(length);
    if (finished) task->run.reset();
    lock.lock();
  } catch (const Fault& fault) {
    task->run.reset();
    lock.lock();
    lose(fault);
    return;
  }
  if (finished) finish(task);
}

void DeviceThread::finish(const TaskPointer& task) {
  task->done = true;
  task->done_at = Clock::now();
  task->command = nullptr;
  std::erase(ready_, task);
  unfinished_.erase(task->number);
  for (const auto& follower : task->followers)
    if (--follower->waits_for == 0) ready_.push_back(follower);
  task->followers.clear();
  task_finished_.notify_all();
}

void DeviceThread::lose(const Fault& fault) {
  lost_ = error_of(fault.kind());
  std::fprintf(stderr, "emulated GPU: %s\n", fault.what());
  // What comes later never happens, and nobody shall wait for it.
  while (!ready_.empty()) finish(TaskPointer(ready_.back()));
  task_finished_.notify_all();
}

Schedule schedule_of_environment() {
  Schedule schedule;
  const char* text = std::getenv("DETBENCH_EMULATED_GPU_ORDER");
  const std::string_view order = text ? text : "in_order", random = "random:";
  if (order == "in_order") return schedule;
  if (order == "reversed") {
    schedule.order = Schedule::Order::reversed;
    return schedule;
  }
  if (order.starts_with(random)) {
    schedule.order = Schedule::Order::random;
    const char* end = order.data() + order.size();
    const auto [rest, error] = std::from_chars(order.data() + random.size(), end, schedule.seed);
    if (error == std::errc() && rest == end) return schedule;
  }
  std::fprintf(stderr, "DETBENCH_EMULATED_GPU_ORDER is '%s'; in_order, reversed and random:SEED are\n", text);
  std::_Exit(2);
}

}  // namespace detbench::emulated
