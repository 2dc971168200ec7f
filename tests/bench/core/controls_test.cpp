#include "bench/core/controls.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

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
  for (const auto& control : control_cases()) {
    if (!control.positive || control.scope == Scope::process) continue;  // `process` needs workers
    const auto report = probe_control(control.algorithm);
    EXPECT_EQ(report.status, RunStatus::ok) << control.algorithm << ": " << report.reason;
    EXPECT_TRUE(control_caught(scope_of(report, control.scope))) << control.algorithm << " in " << to_text(control.scope);
  }
}

TEST(Controls, ConfigurationControlsRepeat) {
  for (const char* name : {"address_order", "address_peel", "partial_per_thread"}) {
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

TEST(Controls, EveryScopeHasAPositiveAndANegativeOne) {
  for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::partition})
    for (const bool positive : {true, false}) {
      bool there = false;
      for (const auto& control : control_cases()) there = there || (control.scope == scope && control.positive == positive);
      EXPECT_TRUE(there) << to_text(scope) << (positive ? " positive" : " negative");
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
    EXPECT_FALSE(offer.unsupported);
    EXPECT_TRUE(provider->plan(problem, offer.algorithm, *device));
    offered.insert(offer.algorithm.name);
  }
  for (const auto& control : control_cases()) EXPECT_TRUE(offered.contains(control.algorithm)) << control.algorithm;
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
