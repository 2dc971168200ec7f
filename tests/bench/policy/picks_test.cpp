#include "bench/policy/picks.hpp"

#include <gtest/gtest.h>

#include <set>

#include "bench/core/schedule.hpp"

namespace detbench {
namespace {

constexpr std::uint32_t blocks = 8;
constexpr std::uint64_t seed = 5;
const std::string nhwc = "conv_wgrad/mb1/f32_f32_strict/nhwc";
const Problem question{"conv_wgrad", "mb1", "f32_f32_strict", ""};

ScopeResult result(Scope scope, ScopeVerdict verdict) {
  ScopeResult r;
  r.scope = scope, r.verdict = verdict, r.runs = 10, r.distinct = verdict == ScopeVerdict::no_difference ? 1 : 3;
  return r;
}

struct Measured {
  std::vector<ComparisonInfo> comparisons;
  std::vector<Record> records;

  void comparison(const std::string& problem, std::size_t uses = 1) {
    ComparisonInfo info;
    info.problem = problem;
    info.used_by.assign(uses, "net:layer");
    info.blocks = blocks, info.schedule_seed = seed;
    comparisons.push_back(info);
  }
  void arm(const std::string& problem, const std::string& algorithm, double seconds) {
    Record record;
    record.id = problem + "/" + algorithm;
    record.status = RunStatus::ok;
    record.output_digest = "aa";
    record.timing = Timing{};
    const auto choosing = choosing_blocks(blocks, seed);
    for (std::uint32_t b = 0; b < blocks; ++b) {
      Sample sample;
      sample.block = b, sample.elapsed_s = seconds;
      record.timing->samples.push_back(sample);
    }
    for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition}) record.agreement.push_back(result(scope, ScopeVerdict::no_difference));
    records.push_back(record);
  }
};

Measured three_arms() {
  Measured m;
  m.comparison(nhwc);
  m.arm(nhwc, "onednn:a", 1.0);
  m.arm(nhwc, "onednn:b", 2.0);
  m.arm(nhwc, "fixed_order:direct", 3.0);
  return m;
}

std::vector<Policy> policies() {
  return {*parse_policy("fastest"), *parse_policy("fastest_observed:run_to_run"), *parse_policy("fastest_observed:partition")};
}

PickCheck holds(const std::vector<Scope>& scopes) {
  PickCheck check;
  check.output_digest = "aa";
  for (const auto scope : scopes)
    if (scope != Scope::process) check.agreement.push_back(result(scope, ScopeVerdict::no_difference));
  return check;
}

const auto never = [] { return false; };

TEST(Picks, AnArmThatFailsIsStruckAndTheNextTaken) {
  const auto m = three_arms();
  std::vector<std::string> asked;
  const ProbeAgain probe = [&](const std::string& id, const std::vector<Scope>& scopes) -> Result<PickCheck> {
    asked.push_back(id);
    auto check = holds(scopes);
    if (id.ends_with("onednn:a"))
      for (auto& r : check.agreement)
        if (r.scope == Scope::load) r = result(Scope::load, ScopeVerdict::differs);
    if (id.ends_with("onednn:b"))
      for (auto& r : check.agreement)
        if (r.scope == Scope::partition) r = result(Scope::partition, ScopeVerdict::differs);
    return check;
  };
  const auto chosen = choose_and_check(policies(), m.comparisons, m.records, {{"cpu", "x"}}, probe, never);
  ASSERT_TRUE(chosen) << chosen.error().text;
  ASSERT_EQ(chosen->selections.size(), 3U);
  EXPECT_EQ(chosen->selections[0].find(question)->algorithm.name, "a") << "fastest demands nothing, so a difference takes nothing from it";
  EXPECT_EQ(chosen->selections[1].find(question)->algorithm.name, "b");
  EXPECT_EQ(chosen->selections[2].find(question)->algorithm.name, "direct");
  EXPECT_EQ(chosen->selections[1].target.at("cpu"), "x");
  EXPECT_EQ(asked, (std::vector<std::string>{nhwc + "/onednn:a", nhwc + "/onednn:b", nhwc + "/fixed_order:direct"}));
  ASSERT_EQ(chosen->infos[1].struck.size(), 1U);
  EXPECT_EQ(chosen->infos[1].struck[0].id, nhwc + "/onednn:a");
  EXPECT_EQ(chosen->infos[1].struck[0].scope, "load");
  EXPECT_EQ(chosen->infos[2].struck.size(), 2U);
  EXPECT_TRUE(chosen->infos[0].struck.empty());
  EXPECT_EQ(chosen->infos[2].held, 1U);
  EXPECT_NE(chosen->notes.at(nhwc + "/onednn:a").find("struck"), std::string::npos);
  EXPECT_NE(chosen->notes.at(nhwc + "/fixed_order:direct").find("no difference"), std::string::npos);
}

TEST(Picks, WhenEveryArmFailsTheProblemIsUnmet) {
  const auto m = three_arms();
  const ProbeAgain probe = [](const std::string&, const std::vector<Scope>&) -> Result<PickCheck> {
    PickCheck check;
    check.status = RunStatus::crashed, check.reason = "signal 11";
    return check;
  };
  const auto chosen = choose_and_check(policies(), m.comparisons, m.records, {}, probe, never);
  ASSERT_TRUE(chosen);
  EXPECT_TRUE(chosen->selections.empty());
  EXPECT_EQ(chosen->infos[1].unmet.size(), 1U);
  EXPECT_EQ(chosen->infos[1].struck.size(), 3U);
  EXPECT_NE(chosen->infos[1].struck[0].reason.find("signal 11"), std::string::npos);
}

TEST(Picks, AFreshProcessWithOtherBitsBreaksTheScopeProcess) {
  PickCheck check = holds({Scope::repeat, Scope::process, Scope::load});
  EXPECT_FALSE(failure_of("x", check, {Scope::repeat, Scope::process, Scope::load}, "aa"));
  const auto failed = failure_of("x", check, {Scope::repeat, Scope::process, Scope::load}, "bb");
  ASSERT_TRUE(failed);
  EXPECT_EQ(*failed->scope, Scope::process);
  EXPECT_FALSE(failure_of("x", check, {Scope::repeat}, "bb")) << "a demand without the scope is not broken by it";
  EXPECT_FALSE(failure_of("x", check, {Scope::process}, "")) << "without a digest before there is nothing to compare";
}

TEST(Picks, WhatNoTimeIsLeftForSaysSoAndTheDearestGoesFirst) {
  Measured m = three_arms();
  const std::string other = "conv_fwd/mb1/f32_f32_strict/nhwc";
  m.comparison(other, 10);
  m.arm(other, "onednn:a", 0.5);  // ten layers of it: 5 s against 1 s
  std::set<std::string> asked;
  const ProbeAgain probe = [&](const std::string& id, const std::vector<Scope>& scopes) -> Result<PickCheck> {
    asked.insert(id);
    return holds(scopes);
  };
  const auto chosen = choose_and_check(policies(), m.comparisons, m.records, {}, probe, [&] { return !asked.empty(); });
  ASSERT_TRUE(chosen);
  EXPECT_EQ(asked, (std::set<std::string>{other + "/onednn:a"}));
  EXPECT_EQ(chosen->infos[1].probed_again, 1U);
  EXPECT_EQ(chosen->infos[1].not_probed_again, 1U);
  EXPECT_NE(chosen->notes.at(nhwc + "/onednn:a").find("not probed again"), std::string::npos);
}

TEST(Picks, APickOfTwoPoliciesIsProbedOnceInTheScopesOfBoth) {
  const auto m = three_arms();
  int calls = 0;
  const ProbeAgain probe = [&](const std::string&, const std::vector<Scope>& scopes) -> Result<PickCheck> {
    ++calls;
    EXPECT_EQ(std::set<Scope>(scopes.begin(), scopes.end()), (std::set<Scope>{Scope::repeat, Scope::process, Scope::load, Scope::partition}));
    return holds(scopes);
  };
  ASSERT_TRUE(choose_and_check(policies(), m.comparisons, m.records, {}, probe, never));
  EXPECT_EQ(calls, 1);
}

TEST(Picks, WithoutAWorkerNothingIsStruck) {
  const auto m = three_arms();
  const ProbeAgain probe = [](const std::string&, const std::vector<Scope>&) -> Result<PickCheck> { return failure("no worker could be started"); };
  const auto chosen = choose_and_check(policies(), m.comparisons, m.records, {}, probe, never);
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().text, "no worker could be started");
}

}  // namespace
}  // namespace detbench
