#include "bench/core/stressors.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "bench/core/affinity.hpp"
#include "bench/core/random.hpp"
#include "kernels/device/stress.hpp"

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;

/// Waited for a stressor's first work: a thread that the machine does not start in this time is no load.
constexpr auto longest_start = std::chrono::milliseconds(50);

/// Short bursts with pauses: each wake-up takes a core away at a random moment for some tens of microseconds. A load
/// without pauses leaves a constant schedule, and every barrier of the victim then waits for whole scheduler quanta of
/// milliseconds, which shows no more and costs a hundred times as much.
void pause(SeededRandom& random) { std::this_thread::sleep_for(std::chrono::microseconds(50 + random.below(250))); }

/// Threads that work until the deadline or until told to stop.
class ThreadedStressor : public Stressor {
 public:
  ~ThreadedStressor() override { halt(); }
  void stop() noexcept override { halt(); }
  bool running() const noexcept override { return alive_.load() > 0 && Clock::now() < deadline_; }
  std::uint64_t work() const noexcept override { return work_.load(); }

  Status start(std::uint64_t seed, double limit_s) override {
    halt();
    if (auto ready = prepare(); !ready) return ready;
    halted_ = false;
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_s));
    const auto before = work_.load();
    try {
      for (unsigned i = 0; i < thread_count(); ++i) {
        ++alive_;
        try {
          threads_.emplace_back([this, i, thread_seed = derive_seed(seed, name(), i)] {
            release_from_binding();
            while (!over() && step(i, thread_seed)) ++work_;
            --alive_;
          });
        } catch (...) {
          --alive_;
          throw;
        }
      }
    } catch (const std::system_error& error) {
      halt();
      return failure("stressor " + name() + " cannot start its threads: " + error.what());
    }
    const auto patience = Clock::now() + longest_start;
    while (work_.load() == before && Clock::now() < patience) std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (work_.load() != before) return {};
    halt();
    return failure("stressor " + name() + " did no work within 50 ms");
  }

 protected:
  virtual unsigned thread_count() const = 0;
  virtual Status prepare() { return {}; }
  /// One unit of work of thread `index`, about a millisecond at most; false ends the thread.
  virtual bool step(unsigned index, std::uint64_t seed) = 0;
  bool over() const noexcept { return halted_.load() || Clock::now() >= deadline_; }
  /// Called by the destructors of derived classes, whose members the threads use.
  void halt() noexcept {
    halted_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
  std::atomic<bool> halted_{true};
  std::atomic<int> alive_{0};
  std::atomic<std::uint64_t> work_{0};
  Clock::time_point deadline_{};
};

class Spinners final : public ThreadedStressor {
 public:
  ~Spinners() override { halt(); }
  std::string name() const override { return "spinners"; }

 private:
  // One more than cores, so that somebody is always taken off; few on a large machine, where a handful already moves
  // the stragglers.
  unsigned thread_count() const override { return static_cast<unsigned>(std::clamp(available_cores() + 1, 3, 16)); }

  bool step(unsigned index, std::uint64_t seed) override {
    thread_local SeededRandom random(seed, "spinner");
    thread_local bool set = false;
    if (!set) {
      // Mixed niceness: an equal one halves the victim's share, a higher one only fills its gaps.
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), std::array{0, 5, 10, 19}[index % 4]);
      set = true;
    }
    const auto end = Clock::now() + std::chrono::microseconds(20 + random.below(180));
    while (Clock::now() < end) {
      for (int i = 0; i < 200; ++i) sink_.fetch_xor(random.next32(), std::memory_order_relaxed);
    }
    pause(random);
    return true;
  }
  std::atomic<std::uint32_t> sink_{0};
};

class MemoryTraffic final : public ThreadedStressor {
 public:
  ~MemoryTraffic() override { halt(); }
  std::string name() const override { return "memory_traffic"; }

 private:
  static constexpr std::size_t words = std::size_t{4} << 20;  // 32 MiB a buffer: above most last-level shares of a core
  static constexpr std::size_t chunk = std::size_t{32} << 10;  // 256 KiB, some tens of microseconds

  unsigned thread_count() const override { return static_cast<unsigned>(std::clamp(available_cores() / 2, 1, 4)); }
  Status prepare() override {
    shared();  // filled here, not by the first step, which would look like a thread that does no work
    return {};
  }
  bool step(unsigned, std::uint64_t seed) override {
    thread_local SeededRandom random(seed, "memory");
    auto& memory = shared();
    const auto from = random.below(words / chunk) * chunk, to = random.below(words / chunk) * chunk;
    // What is copied has no meaning and nobody reads it, so that threads may copy into each other's chunks: relaxed
    // atomics, which compile to plain moves.
    for (std::size_t i = 0; i < chunk; ++i)
      memory[words + to + i].store(memory[from + i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    pause(random);
    return true;
  }
  /// One pair of buffers for the process: filling 64 MiB anew for every arm would take longer than its runs.
  static std::vector<std::atomic<std::uint64_t>>& shared() {
    static std::vector<std::atomic<std::uint64_t>> memory(2 * words);
    return memory;
  }
};

class AtomicTraffic final : public ThreadedStressor {
 public:
  ~AtomicTraffic() override { halt(); }
  std::string name() const override { return "atomic_traffic"; }

 private:
  struct alignas(64) Line {
    std::atomic<std::uint64_t> value{0};
  };
  unsigned thread_count() const override { return static_cast<unsigned>(std::clamp(available_cores(), 2, 4)); }
  bool step(unsigned, std::uint64_t seed) override {
    thread_local SeededRandom random(seed, "atomic");
    for (int i = 0; i < 1000; ++i) lines_[random.below(lines_.size())].value.fetch_add(1);
    pause(random);
    return true;
  }
  std::array<Line, 4> lines_;
};

/// A load of kernels/device/stress.hpp; the GPU itself ends it. Made at the first start, because it takes memory.
class PersistentLoad final : public Stressor {
 public:
  PersistentLoad(Device& device, GpuLoadKind kind, std::string name) : device_(device), kind_(kind), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  void stop() noexcept override {
    if (load_) load_->stop();
  }
  bool running() const noexcept override { return load_ && load_->running(); }
  std::uint64_t work() const noexcept override { return load_ ? load_->work() : 0; }

  Status start(std::uint64_t seed, double limit_s) override {
    if (auto active = device_.activate(); !active) return active;
    if (!load_) {
      auto made = make_gpu_load(kind_);
      if (!made) return tl::unexpected(made.error());
      load_ = std::move(*made);
    }
    const auto before = load_->work();
    if (auto started = load_->start(seed, limit_s); !started) return started;
    const auto patience = Clock::now() + longest_start;
    while (load_->work() == before && Clock::now() < patience) std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (load_->work() != before) return {};
    load_->stop();
    return failure("stressor " + name_ + " did no work within 50 ms");
  }

 private:
  Device& device_;
  GpuLoadKind kind_;
  std::string name_;
  std::unique_ptr<GpuLoad> load_;
};

/// Threads that put short kernels on streams of every priority, two streams each, so that what runs beside the arm, and
/// what is let past it, changes all the time. Kernels end by themselves after some tens of microseconds.
class RacingStreams final : public ThreadedStressor {
 public:
  explicit RacingStreams(Device& device) : device_(device) {}
  ~RacingStreams() override { halt(); }
  std::string name() const override { return "racing_streams"; }

 private:
  unsigned thread_count() const override { return 2; }
  Status prepare() override {
    // Clamped to what the device has: from the default priority, which arms have, to the highest.
    for (const int priority : {0, -1, -2, -100}) {
      if (streams_.size() == 4) break;
      auto stream = device_.make_stream(priority);
      if (!stream) return tl::unexpected(stream.error());
      streams_.push_back(std::move(*stream));
    }
    return {};
  }
  bool step(unsigned index, std::uint64_t seed) override {
    thread_local SeededRandom random(seed, "streams");
    if (!device_.activate()) return false;
    for (int launch = 0; launch < 4; ++launch)
      for (const unsigned lane : {index, index + 2})
        if (!enqueue_short_load(*streams_[lane], plan_short_load(device_.multiprocessors().count, random.next64()))) return false;
    return streams_[index]->wait() && streams_[index + 2]->wait();
  }
  Device& device_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace

std::vector<std::unique_ptr<Stressor>> make_stressors(Device& device) {
  std::vector<std::unique_ptr<Stressor>> stressors;
  if (device.kind() == DeviceKind::cuda) {
    stressors.push_back(std::make_unique<PersistentLoad>(device, GpuLoadKind::spinners, "spinners"));
    stressors.push_back(std::make_unique<PersistentLoad>(device, GpuLoadKind::atomic_traffic, "atomic_traffic"));
    stressors.push_back(std::make_unique<PersistentLoad>(device, GpuLoadKind::memory_traffic, "memory_traffic"));
    stressors.push_back(std::make_unique<RacingStreams>(device));
    return stressors;
  }
  stressors.push_back(std::make_unique<Spinners>());
  stressors.push_back(std::make_unique<MemoryTraffic>());
  stressors.push_back(std::make_unique<AtomicTraffic>());
  return stressors;
}

}  // namespace detbench
