// How a sample on a GPU is put together, on a fake one: gate, flushes, events.
#include <gtest/gtest.h>

#include "bench/core/plans_ahead.hpp"
#include "bench/core/timing.hpp"
#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

/// What happened, in order.
using Log = std::vector<std::string>;

class LoggingGate final : public LaunchGate {
 public:
  LoggingGate(Log& log, bool gives_up) : log_(log), gives_up_(gives_up) {}
  Status close(Stream&, double limit_s) override {
    EXPECT_GT(limit_s, 0);
    EXPECT_LT(limit_s, 0.1) << "a gate has to be bounded";
    log_.push_back("close");
    return {};
  }
  void open() noexcept override { log_.push_back("open"); }
  bool gave_up() const noexcept override { return gives_up_; }

 private:
  Log& log_;
  bool gives_up_;
};

class FixedClock final : public GpuMonitor {
 public:
  GpuReading read() const override { return {}; }
  GpuFacts facts() const override { return {}; }
  std::optional<double> sm_clock_hz() const override { return 1.5e9; }
};

/// The i-th event recorded lies at 1, 3, 6, 10, ... ms, so that the k-th pair is 2k ms apart.
class CountingEvent final : public Event {
 public:
  explicit CountingEvent(int& recorded) : recorded_(recorded) {}
  Result<double> seconds_since(const Event& earlier) const override { return at_s_ - dynamic_cast<const CountingEvent&>(earlier).at_s_; }
  void record() {
    ++recorded_;
    at_s_ = 1e-3 * recorded_ * (recorded_ + 1) / 2;
  }

 private:
  int& recorded_;
  double at_s_ = 0;
};

class LoggingStream final : public Stream {
 public:
  explicit LoggingStream(Log& log) : log_(log) {}
  Status record(Event& event) override {
    dynamic_cast<CountingEvent&>(event).record();
    log_.push_back("event");
    return {};
  }
  Status wait() override {
    log_.push_back("wait");
    return {};
  }
  void* native() const override { return nullptr; }

 private:
  Log& log_;
};

class LoggingGpu final : public Device {
 public:
  explicit LoggingGpu(Log& log) : log_(log), gpu_(std::move(*FakeGpu::make({}))) {}
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return gpu_->name(); }
  const DeviceConfiguration& configuration() const override { return gpu_->configuration(); }
  Status activate() override { return gpu_->activate(); }
  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override { return gpu_->allocate(bytes, element_bytes); }
  Result<std::unique_ptr<Stream>> make_stream(int) override { return std::make_unique<LoggingStream>(log_); }
  Result<std::unique_ptr<Event>> make_event() override { return std::make_unique<CountingEvent>(recorded_); }
  Result<Digest> digest(std::span<const Tensor> tensors, Stream& stream) override { return gpu_->digest(tensors, stream); }
  Status fill(const Tensor& tensor, const FillSpec& spec, Stream& stream) override { return gpu_->fill(tensor, spec, stream); }
  Status poison(Region region, Poison poison, std::uint64_t seed, Stream& stream) override { return gpu_->poison(region, poison, seed, stream); }
  Status copy_to_host(void* target, Region source, Stream& stream) override { return gpu_->copy_to_host(target, source, stream); }
  Status copy_from_host(Region target, const void* source, Stream& stream) override { return gpu_->copy_from_host(target, source, stream); }
  Status copy(Region target, Region source, Stream& stream) override { return gpu_->copy(target, source, stream); }
  Status evict_caches(Stream&) override {
    log_.push_back("flush");
    return {};
  }

 private:
  Log& log_;
  int recorded_ = 0;
  std::unique_ptr<Device> gpu_;
};

struct GpuBench {
  explicit GpuBench(Behaviour behaviour, bool gives_up = false)
      : device(log), operation([this, behaviour](FakeRun& run) -> Status {
          log.push_back("run");
          return behaviour ? behaviour(run) : Status{};
        }) {
    stream = std::move(*device.make_stream(0));
    store = std::make_unique<TensorStore>(device, *stream);
    op = std::move(*PreparedOp::make(operation, {"fake", "n64", "f32_f32_strict", "vector"}, {"fake", "fake", {}, {}}, {}, device, *stream, *store));
    aids.gate = std::make_unique<LoggingGate>(log, gives_up);
    aids.monitor = std::make_unique<FixedClock>();
    log.clear();
  }
  Log log;
  LoggingGpu device;
  FakeOperation operation;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<TensorStore> store;
  std::unique_ptr<PreparedOp> op;
  TimingAids aids;
};

TEST(GpuTiming, QueuesAWholeSampleBehindTheGateEachRunColdBetweenItsOwnEvents) {
  GpuBench bench({});
  const auto sample = time_sample(*bench.op, *bench.stream, 2, {}, bench.aids);
  ASSERT_TRUE(sample) << sample.error().text;
  const Log expected{"wait", "flush", "close", "flush", "event", "run", "event", "flush", "event", "run", "event", "open", "wait"};
  EXPECT_EQ(bench.log, expected);
  EXPECT_DOUBLE_EQ(sample->elapsed_s, (2e-3 + 4e-3) / 2);
  EXPECT_EQ(sample->iterations, 2u);
  EXPECT_EQ(sample->sm_clock_hz, 1.5e9);
  EXPECT_FALSE(sample->launches_exposed);
}

TEST(GpuTiming, SaysWhenTheGateGaveUp) {
  GpuBench bench({}, true);
  EXPECT_TRUE(time_sample(*bench.op, *bench.stream, 1, {}, bench.aids)->launches_exposed);
}

TEST(GpuTiming, MarksForeignLoadOnlyWhereTheHostIsInTheTime) {
  for (const bool exposed : {false, true}) {
    double now_s = 100;
    GpuBench bench({}, exposed);
    TimingSettings settings;
    ForeignLoadMeter::Sources sources;
    sources.proc_stat = [&now_s] { return "cpu  " + std::to_string(static_cast<long>(now_s * 200)) + " 0 0 9 0 0 0 0\ncpu0 1\ncpu1 1\n"; };
    sources.own_cpu_s = [] { return 0.0; };
    sources.now_s = [&now_s] { return now_s += 1; };
    settings.meter = std::make_shared<ForeignLoadMeter>(sources);
    const auto sample = time_sample(*bench.op, *bench.stream, 1, settings, bench.aids);
    ASSERT_TRUE(sample) << sample.error().text;
    EXPECT_GT(sample->foreign_s, 0);
    EXPECT_EQ(sample->foreign_load, exposed);
  }
}

TEST(GpuTiming, OpensTheGateWhenARunFails) {
  GpuBench bench([](FakeRun&) -> Status { return failure("no launch"); });
  const auto sample = time_sample(*bench.op, *bench.stream, 3, {}, bench.aids);
  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().text, "no launch");
  EXPECT_EQ(std::count(bench.log.begin(), bench.log.end(), "open"), 1);
  EXPECT_EQ(bench.log.back(), "wait");
}

TEST(GpuTiming, KeepsASampleInTheLaunchQueue) {
  GpuBench bench({});
  TimingSettings settings;
  settings.minimum_sample_s = 10;
  const auto iterations = calibrate(*bench.op, settings);
  ASSERT_TRUE(iterations);
  EXPECT_EQ(*iterations, settings.maximum_gpu_iterations);
}

TEST(ClockEvents, HaveNames) {
  EXPECT_EQ(clock_event_reason_names(0), std::vector<std::string>{});
  EXPECT_EQ(clock_event_reason_names(0b101), (std::vector<std::string>{"gpu_idle", "sw_power_cap"}));
  EXPECT_EQ(clock_event_reason_names(1ULL << 20), std::vector<std::string>{"bit_20"});
}

const Problem problem{"fake", "n64", "f32_f32_strict", "vector"};

TEST(PlansAhead, AreUsedOnceForEveryOpAndKeepTheirBuildTime) {
  std::atomic<int> built{0};
  FakeTraits traits;
  traits.exists = [&built](const DeviceConfiguration&) -> Status {
    ++built;
    return {};
  };
  const FakeOperation operation({}, traits);
  PlansAhead plans;
  const MakeDevice make = [](const DeviceConfiguration& c) { return FakeGpu::make(c); };
  const std::vector<Algorithm> algorithms{{"fake", "fake", {}, {}}, {"fake", "other", {}, {}}, {"nobody", "x", {}, {}}};
  EXPECT_EQ(plans.build(operation, problem, algorithms, make, {}, 4), 2u) << "an unknown provider is left out";
  EXPECT_EQ(plans.build(operation, problem, algorithms, make, {}, 4), 0u) << "they are there already";
  EXPECT_EQ(built, 2);
  const auto wrapped = with_plans_ahead(operation, plans);
  auto device = std::move(*make({}));
  const auto* provider = wrapped->find_provider("fake");
  for (int i = 0; i < 3; ++i) {
    auto plan = provider->plan(problem, algorithms[0], *device);
    ASSERT_TRUE(plan);
    EXPECT_TRUE((*plan)->built_in_s().has_value());
    EXPECT_EQ((*plan)->outputs().size(), 1u);
  }
  EXPECT_EQ(built, 2);
  // Where buffers lie is no part of a plan as long as they are aligned to what libraries ask for.
  DeviceConfiguration moved;
  moved.offset_bytes = 48;
  moved.placement_seed = 7;
  EXPECT_NE(plans.find(problem, algorithms[0], moved), nullptr);
  moved.offset_bytes = 4;
  EXPECT_EQ(plans.find(problem, algorithms[0], moved), nullptr);
  // Another configuration is another plan.
  DeviceConfiguration other;
  other.sm_count_target = 64;
  auto other_device = std::move(*make(other));
  EXPECT_FALSE((*provider->plan(problem, algorithms[0], *other_device))->built_in_s().has_value());
  EXPECT_EQ(built, 3);
  plans.clear();
  EXPECT_EQ(plans.find(problem, algorithms[0], device->configuration()), nullptr);
}

TEST(PlansAhead, LeaveOutWhatCannotBeBuilt) {
  FakeTraits traits;
  traits.exists = [](const DeviceConfiguration&) -> Status { return unsupported("not here"); };
  const FakeOperation operation({}, traits);
  PlansAhead plans;
  EXPECT_EQ(plans.build(operation, problem, {{"fake", "fake", {}, {}}}, [](const DeviceConfiguration& c) { return FakeGpu::make(c); }, {}, 2), 0u);
  const auto wrapped = with_plans_ahead(operation, plans);
  auto device = std::move(*FakeGpu::make({}));
  EXPECT_EQ(wrapped->find_provider("fake")->plan(problem, {"fake", "fake", {}, {}}, *device).error().text, "not here");
}

}  // namespace
}  // namespace detbench
