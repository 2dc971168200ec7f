#include "bench/core/stressors.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <system_error>
#include <thread>

#include "bench/core/affinity.hpp"
#include "bench/core/random.hpp"

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

/// Work enqueued on streams of its own through the plain Device interface.
class DeviceStressor : public ThreadedStressor {
 public:
  explicit DeviceStressor(Device& device) : device_(device) {}

 protected:
  Status add_lane(int priority, std::size_t bytes) {
    auto stream = device_.make_stream(priority);
    if (!stream) return tl::unexpected(stream.error());
    auto buffer = device_.allocate(bytes);
    if (!buffer) return tl::unexpected(buffer.error());
    lanes_.push_back({std::move(*stream), std::move(*buffer)});
    return {};
  }
  struct Lane {
    std::unique_ptr<Stream> stream;
    std::unique_ptr<Buffer> buffer;
  };
  Device& device_;
  std::vector<Lane> lanes_;
};

class DeviceMemoryTraffic final : public DeviceStressor {
 public:
  using DeviceStressor::DeviceStressor;
  ~DeviceMemoryTraffic() override { halt(); }
  std::string name() const override { return "memory_traffic"; }

 private:
  static constexpr std::size_t half_bytes = std::size_t{128} << 20;  // past the L2 of today's GPUs
  unsigned thread_count() const override { return 1; }
  Status prepare() override { return lanes_.empty() ? add_lane(0, 2 * half_bytes) : Status{}; }
  bool step(unsigned, std::uint64_t) override {
    const auto all = lanes_[0].buffer->region();
    const Region low{all.data, half_bytes}, high{static_cast<std::byte*>(all.data) + half_bytes, half_bytes};
    return device_.activate() && device_.copy(low, high, *lanes_[0].stream) && lanes_[0].stream->wait();
  }
};

class RacingStreams final : public DeviceStressor {
 public:
  using DeviceStressor::DeviceStressor;
  ~RacingStreams() override { halt(); }
  std::string name() const override { return "racing_streams"; }

 private:
  unsigned thread_count() const override { return 2; }
  Status prepare() override {
    if (!lanes_.empty()) return {};
    for (const int priority : {0, -1, 0, -1})
      if (auto added = add_lane(priority, std::size_t{1} << 20); !added) return added;
    return {};
  }
  bool step(unsigned index, std::uint64_t seed) override {
    thread_local SeededRandom random(seed, "streams");
    for (unsigned lane = 2 * index; lane < 2 * index + 2; ++lane) {
      // Kernels of seeded sizes, so that the gaps they leave on the multiprocessors move.
      Region part = lanes_[lane].buffer->region();
      part.bytes = std::size_t{256} << random.below(12);
      if (!device_.activate() || !device_.poison(part, Poison::zero, 0, *lanes_[lane].stream)) return false;
    }
    return lanes_[2 * index].stream->wait() && lanes_[2 * index + 1].stream->wait();
  }
};

}  // namespace

std::vector<std::unique_ptr<Stressor>> make_stressors(Device& device) {
  std::vector<std::unique_ptr<Stressor>> stressors;
  if (device.kind() == DeviceKind::cuda) {
    stressors.push_back(std::make_unique<DeviceMemoryTraffic>(device));
    stressors.push_back(std::make_unique<RacingStreams>(device));
    return stressors;
  }
  stressors.push_back(std::make_unique<Spinners>());
  stressors.push_back(std::make_unique<MemoryTraffic>());
  stressors.push_back(std::make_unique<AtomicTraffic>());
  return stressors;
}

}  // namespace detbench
