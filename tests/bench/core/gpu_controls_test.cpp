// The controls and stressors where there is a GPU: each is caught in its scope and quiet in the ones before. Skipped with
// the reason where there is no CUDA backend.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "bench/core/controls.hpp"
#include "bench/core/probe.hpp"
#include "bench/core/stressors.hpp"
#include "bench/core/timing.hpp"

namespace detbench {
namespace {

class GpuControls : public testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << device.error().text;
    device_ = std::move(*device);
  }
  static ArmReport probe(const std::string& name) {
    Algorithm algorithm;
    algorithm.provider = "control";
    algorithm.name = name;
    ProbeSettings settings;
    settings.repeat = settings.load = 10;
    settings.configurations = 2;
    ReferenceCache references;
    static const auto operation = make_control_operation();
    return probe_arm(*operation, {"control", "n65536", "f32_f32_strict", "vector"}, algorithm, settings,
                     [](const DeviceConfiguration& c) { return make_cuda_device(c); }, references);
  }
  static const ScopeResult& scope_of(const ArmReport& report, Scope scope) {
    for (const auto& result : report.agreement)
      if (result.scope == scope) return result;
    static const ScopeResult none;
    return none;
  }
  std::unique_ptr<Device> device_;
};

TEST_F(GpuControls, EveryPositiveOneIsCaughtInItsScope) {
  for (const auto& control : control_cases(DeviceKind::cuda)) {
    if (!control.positive || control.scope == Scope::process) continue;  // `process` needs workers
    const auto report = probe(control.algorithm);
    EXPECT_EQ(report.status, RunStatus::ok) << control.algorithm << ": " << report.reason;
    EXPECT_EQ(report.exact_equal, true) << control.algorithm;
    const auto& result = scope_of(report, control.scope);
    EXPECT_TRUE(control_caught(result)) << control.algorithm << " in " << to_text(control.scope) << ": " << result.reason;
  }
}

TEST_F(GpuControls, ConfigurationControlsRepeat) {
  for (const char* name : {"address_order", "address_peel", "partial_per_multiprocessor", "parallel_branches", "split_by_batch"}) {
    const auto report = probe(name);
    for (const auto scope : {Scope::repeat, Scope::load})
      EXPECT_EQ(scope_of(report, scope).verdict, ScopeVerdict::no_difference) << name << " in " << to_text(scope);
  }
}

TEST_F(GpuControls, TheNegativeOneNeverDiffersAndEveryStageRan) {
  const auto report = probe("integer_accumulation");
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  for (const auto& result : report.agreement) {
    EXPECT_EQ(result.verdict, ScopeVerdict::no_difference) << to_text(result.scope) << ": " << result.reason;
    for (const auto& stage : result.stages)
      if (!stage.name.starts_with("sm_target=")) {  // the sums ask for no multiprocessor count
        EXPECT_TRUE(stage.unavailable.empty()) << stage.name << ": " << stage.unavailable;
      }
  }
  EXPECT_EQ(scope_of(report, Scope::load).stages.size(), 4u);
  // Evidence that there was something to withstand.
  for (const char* stressor : {"idle", "spinners", "atomic_traffic", "memory_traffic", "racing_streams"})
    EXPECT_THAT(report.notes, testing::Contains(testing::Key("schedule_" + std::string(stressor))));
}

TEST_F(GpuControls, ItsBitsAreTheCpus) {
  const auto host = *make_cpu_device({.threads = 1});
  const auto operation = make_control_operation();
  const Problem problem{"control", "n65536", "f32_f32_strict", "vector"};
  for (const char* name : {"address_order", "split_by_batch", "integer_accumulation"}) {
    Algorithm algorithm;
    algorithm.provider = "control";
    algorithm.name = name;
    const auto here = run_once(*operation, problem, algorithm, {}, *host, false), there = run_once(*operation, problem, algorithm, {}, *device_, false);
    ASSERT_TRUE(here) << here.error().text;
    ASSERT_TRUE(there) << there.error().text;
    EXPECT_EQ(here->digest, there->digest) << name;
  }
}

TEST_F(GpuControls, SamplesAreTimedWithLaunchesHidden) {
  ASSERT_TRUE(device_->activate());
  const auto operation = make_control_operation();
  const auto stream = *device_->make_stream();
  TensorStore store(*device_, *stream);
  Algorithm algorithm;
  algorithm.provider = "control";
  algorithm.name = "integer_accumulation";
  const auto op = PreparedOp::make(*operation, {"control", "n65536", "f32_f32_strict", "vector"}, algorithm, {}, *device_, *stream, store);
  ASSERT_TRUE(op) << op.error().text;
  auto aids = make_timing_aids(*device_);
  ASSERT_TRUE(aids) << aids.error().text;
  TimingSettings settings;
  settings.gate_limit_s = 1.0;  // tests share the host with other tests
  const auto iterations = calibrate(**op, settings);
  ASSERT_TRUE(iterations) << iterations.error().text;
  EXPECT_GE(*iterations, 1u);
  EXPECT_LE(*iterations, settings.maximum_gpu_iterations);
  const auto digest = (*op)->run();
  ASSERT_TRUE(digest) << digest.error().text;
  for (const std::uint32_t runs : {1u, *iterations, settings.maximum_gpu_iterations}) {
    const auto sample = time_sample(**op, *stream, runs, settings, *aids);
    ASSERT_TRUE(sample) << sample.error().text;
    EXPECT_EQ(sample->iterations, runs);
    EXPECT_FALSE(sample->launches_exposed);
    // Three short kernels: a microsecond at least, and nothing like the gate's or a launch's waiting.
    EXPECT_GT(sample->elapsed_s, 1e-6);
    EXPECT_LT(sample->elapsed_s, 0.05);
    const auto timed = (*op)->digest();
    ASSERT_TRUE(timed) << timed.error().text;
    EXPECT_EQ(*timed, *digest);
  }
}

TEST_F(GpuControls, StressorsWorkWhileRunningAndStopWhenToldOrByThemselves) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const auto stressors = make_stressors(*device_);
  ASSERT_EQ(stressors.size(), 4u);
  for (const auto& stressor : stressors) {
    ASSERT_TRUE(stressor->start(1, 5.0)) << stressor->name();
    EXPECT_TRUE(stressor->running()) << stressor->name();
    EXPECT_GT(stressor->work(), 0u);
    const auto stopping = Clock::now();
    stressor->stop();
    stressor->stop();
    EXPECT_LT(seconds_since(stopping), 0.5) << stressor->name();
    EXPECT_FALSE(stressor->running());
    ASSERT_TRUE(stressor->start(2, 0.05)) << stressor->name();
    const auto begun = Clock::now();
    while (stressor->running() && seconds_since(begun) < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_LT(seconds_since(begun), 1.0) << stressor->name();
    stressor->stop();
    EXPECT_TRUE(device_->usable());
  }
}

}  // namespace
}  // namespace detbench
