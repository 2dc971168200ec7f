#include "bench/core/controls.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "bench/core/control_sums.hpp"
#include "bench/core/probe.hpp"

namespace detbench {
namespace {

const Problem problem{"control", "n65536", "f32_f32_strict", "vector"};

ArmReport probe_control(const std::string& name, std::uint32_t n = 5) {
  Algorithm algorithm;
  algorithm.provider = "control";
  algorithm.name = name;
  ProbeSettings settings;
  settings.repeat = settings.load = n;
  settings.configurations = 2;
  settings.base.threads = 2;
  ReferenceCache references;
  const auto operation = make_control_operation();
  return probe_arm(*operation, problem, algorithm, settings, [](const DeviceConfiguration& c) { return make_cpu_device(c); }, references);
}

const ScopeResult& scope_of(const ArmReport& report, Scope scope) {
  for (const auto& result : report.agreement)
    if (result.scope == scope) return result;
  static const ScopeResult none;
  return none;
}

TEST(Controls, EveryPositiveOneIsCaughtInItsScope) {
  for (const auto& control : control_cases(DeviceKind::cpu)) {
    if (!control.positive || control.scope == Scope::process) continue;  // `process` needs workers
    const auto report = probe_control(control.algorithm);
    EXPECT_EQ(report.status, RunStatus::ok) << control.algorithm << ": " << report.reason;
    EXPECT_TRUE(control_caught(scope_of(report, control.scope))) << control.algorithm << " in " << to_text(control.scope);
  }
}

TEST(Controls, ConfigurationControlsRepeat) {
  for (const char* name : {"address_order", "address_peel", "partial_per_thread", "split_by_batch"}) {
    const auto report = probe_control(name, 3);
    EXPECT_EQ(scope_of(report, Scope::repeat).verdict, ScopeVerdict::no_difference) << name;
    EXPECT_EQ(scope_of(report, Scope::load).verdict, ScopeVerdict::no_difference) << name;
  }
}

TEST(Controls, TheNegativeOneNeverDiffers) {
  const auto report = probe_control("integer_accumulation", 10);
  EXPECT_EQ(report.status, RunStatus::ok) << report.reason;
  EXPECT_EQ(report.exact_equal, true);
  for (const auto& result : report.agreement) {
    if (result.verdict == ScopeVerdict::not_applicable) continue;  // capture, on a CPU
    EXPECT_EQ(result.verdict, ScopeVerdict::no_difference) << to_text(result.scope);
  }
}

TEST(Controls, TheSplitByBatchDiffersInItsScopeAlone) {
  const auto report = probe_control("split_by_batch", 3);
  const auto& batch = scope_of(report, Scope::batch);
  EXPECT_EQ(batch.verdict, ScopeVerdict::differs) << batch.reason;
  ASSERT_TRUE(batch.witness);
  EXPECT_EQ(batch.witness->elements, 64u);
  for (const auto scope : {Scope::repeat, Scope::load, Scope::placement, Scope::partition})
    EXPECT_EQ(scope_of(report, scope).verdict, ScopeVerdict::no_difference) << to_text(scope);
  EXPECT_EQ(split_of_batch(64), 4);
  EXPECT_EQ(split_of_batch(65), 3);
  EXPECT_EQ(split_of_batch(128), 2);
  EXPECT_EQ(split_of_batch(100000), 1);
}

TEST(Controls, EveryScopeHasAPositiveAndANegativeOne) {
  for (const auto kind : {DeviceKind::cpu, DeviceKind::cuda})
    for (const auto scope : all_scopes) {
      if (scope == Scope::machine || (scope == Scope::capture && kind == DeviceKind::cpu)) continue;
      for (const bool positive : {true, false}) {
        bool there = false;
        for (const auto& control : control_cases(kind)) there = there || (control.scope == scope && control.positive == positive);
        EXPECT_TRUE(there) << to_text(scope) << (positive ? " positive" : " negative");
      }
    }
}

TEST(Controls, OffersWhatItCanPlanAndRefusesTheRestInOneLine) {
  const auto operation = make_control_operation();
  const auto device = *make_cpu_device({.threads = 2});
  const auto* provider = operation->find_provider("control");
  ASSERT_NE(provider, nullptr);
  const auto offers = provider->offers(problem, *device);
  ASSERT_TRUE(offers);
  std::set<std::string> offered;
  for (const auto& offer : *offers) {
    const auto plan = provider->plan(problem, offer.algorithm, *device);
    EXPECT_EQ(plan.has_value(), !offer.unsupported.has_value()) << offer.algorithm.name;
    if (!plan) {
      EXPECT_EQ(plan.error().text, offer.unsupported->text);
    }
    if (plan) offered.insert(offer.algorithm.name);
  }
  for (const auto& control : control_cases(DeviceKind::cpu)) EXPECT_TRUE(offered.contains(control.algorithm)) << control.algorithm;
  EXPECT_FALSE(offered.contains("parallel_branches"));
  Algorithm unknown;
  unknown.name = "dice";
  EXPECT_THAT(provider->plan(problem, unknown, *device).error().text, testing::HasSubstr("'dice' is no control; there are contended_atomics"));
  for (const char* shape : {"n1000", "n0", "n65536_k2", "65536", "n99999999999999999999"}) {
    auto bad = problem;
    bad.shape = shape;
    EXPECT_FALSE(operation->check(bad)) << shape;
  }
  auto half = problem;
  half.types = "f16_f32_strict";
  EXPECT_THAT(operation->check(half).error().text, testing::HasSubstr("control/n65536/f32_f32_strict/vector"));
  EXPECT_TRUE(operation->check(problem));
}

TEST(ApplyControls, AnUncaughtControlTurnsNoDifferenceOfItsScopeIntoUntested) {
  const auto make = [](Scope scope, ScopeVerdict verdict) {
    ScopeResult result;
    result.scope = scope;
    result.verdict = verdict;
    result.bound = 0.1;
    return result;
  };
  std::vector<ScopeResult> agreement{make(Scope::repeat, ScopeVerdict::no_difference), make(Scope::process, ScopeVerdict::differs),
                                     make(Scope::load, ScopeVerdict::no_difference), make(Scope::placement, ScopeVerdict::no_difference)};
  apply_controls({{Scope::repeat, false}, {Scope::process, false}, {Scope::load, true}}, agreement);
  EXPECT_EQ(agreement[0].verdict, ScopeVerdict::untested);
  EXPECT_FALSE(agreement[0].bound);
  EXPECT_THAT(agreement[0].reason, testing::HasSubstr("positive control of scope repeat was not caught"));
  EXPECT_EQ(agreement[1].verdict, ScopeVerdict::differs);        // an observed difference always stands
  EXPECT_EQ(agreement[2].verdict, ScopeVerdict::no_difference);  // caught
  EXPECT_EQ(agreement[3].verdict, ScopeVerdict::no_difference);  // not watched
}

}  // namespace
}  // namespace detbench
