#include "bench/core/timing.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

/// A machine of two cores whose clocks a test turns by hand.
struct FakeMachine {
  double now_s = 100, own_s = 3, busy_s = 50, steal_s = 1;
  bool readable = true;
  ForeignLoadMeter::Sources sources() {
    ForeignLoadMeter::Sources sources;
    sources.proc_stat = [this]() -> std::string {
      if (!readable) return "";
      const auto ticks = [](double seconds) { return std::to_string(static_cast<long>(seconds * 100)); };
      return "cpu  " + ticks(busy_s) + " 0 0 99999 7 0 0 " + ticks(steal_s) + " 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n";
    };
    sources.own_cpu_s = [this] { return own_s; };
    sources.now_s = [this] { return now_s; };
    return sources;
  }
  /// Time passes: this process uses `own` of a core, others `foreign`, the hypervisor takes `steal`.
  void pass(double seconds, double own, double foreign, double steal = 0) {
    now_s += seconds;
    own_s += own * seconds;
    busy_s += (own + foreign) * seconds;
    steal_s += steal * seconds;
  }
};

TEST(ForeignLoad, ReadsTheFirstLineOfProcStat) {
  const auto times = parse_proc_stat("cpu  100 20 30 4000 9 5 6 70 3 2\ncpu0 1\ncpu1 1\ncpu2 1\nintr 1 2\n", 100);
  ASSERT_TRUE(times);
  EXPECT_DOUBLE_EQ(times->busy_s, 1.61);  // guest time is part of user and not counted twice
  EXPECT_DOUBLE_EQ(times->steal_s, 0.70);
  EXPECT_EQ(times->cores, 3u);
  EXPECT_FALSE(parse_proc_stat("", 100));
  EXPECT_FALSE(parse_proc_stat("cpu  1 2 3\n", 100));
  EXPECT_FALSE(parse_proc_stat("intr 1 2 3\n", 100));
}

TEST(ForeignLoad, OwnWorkIsNoLoad) {
  FakeMachine machine;
  ForeignLoadMeter meter(machine.sources());
  meter.begin();
  machine.pass(1.0, 2.0, 0.0);
  const auto reading = meter.end(0.10);
  EXPECT_FALSE(reading.loaded);
  EXPECT_NEAR(reading.foreign_s, 0.0, 0.01);
}

TEST(ForeignLoad, SeesOthersAndTheHypervisor) {
  FakeMachine machine;
  ForeignLoadMeter meter(machine.sources());
  meter.begin();
  machine.pass(1.0, 1.0, 0.6);
  auto reading = meter.end(0.10);
  EXPECT_TRUE(reading.loaded);
  EXPECT_NEAR(reading.foreign_s, 0.3, 0.01);  // per core, of two
  machine.pass(2.0, 0, 0);
  meter.begin();
  machine.pass(1.0, 1.0, 0.0, 0.5);
  reading = meter.end(0.10);
  EXPECT_TRUE(reading.loaded);
  EXPECT_NEAR(reading.foreign_s, 0.25, 0.01);
}

TEST(ForeignLoad, ToleratesAShareAndTheTicks) {
  FakeMachine machine;
  ForeignLoadMeter meter(machine.sources());
  meter.begin();
  machine.pass(1.0, 1.0, 0.08);
  EXPECT_FALSE(meter.end(0.10).loaded);
  // One sample of 200 us at the end of which a tick of 10 ms falls due says nothing.
  FakeMachine other;
  ForeignLoadMeter fresh(other.sources());
  fresh.begin();
  other.pass(200e-6, 1.0, 0.0);
  other.busy_s += 0.01;
  EXPECT_FALSE(fresh.end(0.10).loaded);
}

TEST(ForeignLoad, JudgesShortSamplesByTheLastHalfSecond) {
  FakeMachine machine;
  ForeignLoadMeter meter(machine.sources());
  int first_loaded = -1;
  for (int i = 0; i < 1500; ++i) {
    meter.begin();
    machine.pass(1e-3, 1.0, i < 500 ? 0.0 : 0.5);
    const auto reading = meter.end(0.10);
    if (reading.loaded && first_loaded < 0) first_loaded = i;
    if (i > 1100) {
      EXPECT_NEAR(reading.window_s, 0.5, 0.03);
      EXPECT_NEAR(reading.foreign_s, 0.25e-3, 0.03e-3);
    }
  }
  EXPECT_GT(first_loaded, 500);  // not before the load was there, and a fraction of the window after
  EXPECT_LT(first_loaded, 750);
}

TEST(ForeignLoad, ForgetsWhatHappenedBetweenSamples) {
  FakeMachine machine;
  ForeignLoadMeter meter(machine.sources());
  meter.begin();
  machine.pass(1.0, 1.0, 0.0);
  meter.end(0.10);
  machine.pass(30.0, 0.0, 2.0);  // somebody compiles while nothing is timed
  meter.begin();
  machine.pass(1.0, 1.0, 0.0);
  EXPECT_FALSE(meter.end(0.10).loaded);
}

TEST(ForeignLoad, ALargeMachineMayHaveItsDaemons) {
  FakeMachine machine;
  auto sources = machine.sources();
  const auto small = sources.proc_stat;
  sources.proc_stat = [small] {
    auto text = small();
    for (int core = 2; core < 64; ++core) text += "cpu" + std::to_string(core) + " 1\n";
    return text;
  };
  ForeignLoadMeter meter(sources);
  meter.begin();
  machine.pass(10.0, 1.0, 0.7);  // about one percent of every core
  EXPECT_FALSE(meter.end(0.10).loaded);
}

TEST(ForeignLoad, WithoutProcStatNothingIsMarked) {
  FakeMachine machine;
  machine.readable = false;
  ForeignLoadMeter meter(machine.sources());
  meter.begin();
  machine.pass(1.0, 0, 2.0);
  const auto reading = meter.end(0.10);
  EXPECT_FALSE(reading.loaded);
  EXPECT_EQ(reading.window_s, 0);
}

TEST(ForeignLoad, TheRealMachineCanBeRead) {
  auto sources = ForeignLoadMeter::machine();
  EXPECT_GT(sources.ticks_per_second, 0);
  EXPECT_GT(sources.own_cpu_s(), 0);
  EXPECT_TRUE(parse_proc_stat(sources.proc_stat(), sources.ticks_per_second));
}

Behaviour sleeping(double seconds) {
  return [seconds](FakeRun&) -> Status {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    return {};
  };
}

Result<Sample> timed(FakeBench& bench, std::uint32_t iterations, const TimingSettings& settings) {
  auto aids = make_timing_aids(bench.op->device());
  if (!aids) return tl::unexpected(aids.error());
  return time_sample(*bench.op, *bench.stream, iterations, settings, *aids);
}

TEST(TimeSample, TimesTheMeanOfItsIterations) {
  FakeBench bench(sleeping(2e-3));
  const auto sample = timed(bench, 5, {});
  ASSERT_TRUE(sample);
  EXPECT_GE(sample->elapsed_s, 2e-3);
  EXPECT_LT(sample->elapsed_s, 50e-3);
  EXPECT_EQ(sample->iterations, 5u);
  EXPECT_FALSE(timed(bench, 0, {}));
}

TEST(TimeSample, MarksForeignLoad) {
  FakeMachine machine;
  FakeBench bench([&machine](FakeRun&) -> Status {
    machine.pass(1.0, 1.0, 1.0);
    return {};
  });
  TimingSettings settings;
  settings.meter = std::make_shared<ForeignLoadMeter>(machine.sources());
  EXPECT_TRUE(timed(bench, 1, settings)->foreign_load);
  settings.foreign_share = 1.5;
  EXPECT_FALSE(timed(bench, 1, settings)->foreign_load);
}

TEST(TimeSample, CountsInvoluntarySwitches) {
  // Twice as many busy threads as any machine that runs this has spare: somebody is taken off within 100 ms.
  FakeBench bench([](FakeRun&) -> Status {
    std::vector<std::jthread> threads;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    for (int i = 0; i < 2 * available_cores() + 1; ++i)
      threads.emplace_back([end] { while (std::chrono::steady_clock::now() < end) continue; });
    return {};
  });
  EXPECT_GT(timed(bench, 1, {})->involuntary_switches, 0);
}

TEST(Calibrate, RepeatsShortOpsUntilASampleIsLongEnough) {
  TimingSettings settings;
  settings.minimum_sample_s = 10e-3;
  FakeBench medium(sleeping(1e-3));
  const auto iterations = calibrate(*medium.op, settings);
  ASSERT_TRUE(iterations);
  EXPECT_GE(*iterations, 2u);
  EXPECT_LE(*iterations, 10u);
  FakeBench slow(sleeping(12e-3));
  EXPECT_EQ(*calibrate(*slow.op, settings), 1u);
  FakeBench fast({});
  EXPECT_EQ(*calibrate(*fast.op, settings), settings.maximum_iterations);
  FakeBench broken([](FakeRun&) -> Status { return failure("gone"); });
  EXPECT_EQ(calibrate(*broken.op, settings).error().text, "gone");
}

}  // namespace
}  // namespace detbench
