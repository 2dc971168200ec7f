#include "bench/core/agreement.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "bench/core/random.hpp"
#include "tests/bench/core/fakes.hpp"

namespace detbench {
namespace {

struct Observed {
  Stage stage;
  std::optional<Witness> witness;
};
Observed observe_fake(FakeBench& bench, std::uint32_t runs) {
  Observed observed;
  EXPECT_TRUE(bench.op->run());
  const auto baseline = capture_baseline(*bench.op);
  EXPECT_TRUE(baseline);
  auto stage = observe(*bench.op, *baseline, "idle", runs, observed.witness);
  EXPECT_TRUE(stage) << stage.error().text;
  if (stage) observed.stage = *stage;
  return observed;
}

TEST(Observe, CatchesADifferenceInRunSevenAtRunSeven) {
  FakeBench bench([](FakeRun& run) -> Status {
    if (run.call == 7) {
      flip_last_bit(run.dst[23]);
      run.dst[50] = -run.dst[50];
    }
    return {};
  });
  const auto [stage, witness] = observe_fake(bench, 12);
  EXPECT_EQ(stage.runs, 12u);
  EXPECT_EQ(stage.differing_runs, 1u);
  EXPECT_EQ(stage.distinct.size(), 2u);
  ASSERT_TRUE(witness);
  EXPECT_EQ(witness->stage, "idle");
  EXPECT_EQ(witness->run, 7u);
  EXPECT_EQ(witness->output, "dst");
  EXPECT_EQ(witness->element, 23u);
  EXPECT_EQ(witness->elements, 64u);
  EXPECT_EQ(witness->differing, 2u);
  EXPECT_EQ(witness->baseline_bits ^ witness->run_bits, 1u);
  EXPECT_GT(witness->max_ulp, 1000u);  // the changed sign
  EXPECT_FALSE(witness->sampled);
}

TEST(Observe, CatchesTheSignOfAZero) {
  FakeBench bench([](FakeRun& run) -> Status {
    run.dst[0] = run.call == 3 ? -0.0f : 0.0f;
    return {};
  });
  const auto [stage, witness] = observe_fake(bench, 5);
  EXPECT_EQ(stage.differing_runs, 1u);
  ASSERT_TRUE(witness);
  EXPECT_EQ(witness->run, 3u);
  EXPECT_EQ(witness->baseline_bits, 0u);
  EXPECT_EQ(witness->run_bits, 0x80000000u);
  EXPECT_EQ(witness->v_ermv, 0.0);
}

TEST(Observe, DoesNotReportEqualValuesThatChangePlaces) {
  FakeBench bench([](FakeRun& run) -> Status {
    // Two equal values computed in turns by two ways; the bits at every place stay the same.
    run.dst[4] = run.call % 2 == 0 ? 1.5f : 3.0f / 2.0f;
    run.dst[5] = 1.5f;
    std::swap(run.dst[4 + run.call % 2], run.dst[5 - run.call % 2]);
    return {};
  });
  EXPECT_EQ(observe_fake(bench, 10).stage.differing_runs, 0u);
}

TEST(Observe, SeesARunThatWritesNothing) {
  // Without poisoning before every run the bits of the run before would still be there.
  FakeBench bench([](FakeRun& run) -> Status {
    if (run.call != 4)
      for (std::int64_t i = 0; i < run.n; ++i) run.dst[i] = 2 * run.src[i];
    return {};
  }, {.fills_dst = false});
  const auto [stage, witness] = observe_fake(bench, 6);
  EXPECT_EQ(stage.differing_runs, 1u);
  EXPECT_EQ(witness->run, 4u);
}

TEST(Observe, FindsRareDifferencesAtTheRateTheoryGives) {
  const int trials = 2000;
  const std::uint32_t n = 10;
  for (const double p : {0.5, 0.1, 0.02}) {
    int found = 0;
    for (int trial = 0; trial < trials; ++trial) {
      auto random = std::make_shared<SeededRandom>(derive_seed(99, "rate", trial), "agreement_test");
      FakeBench bench([random, p](FakeRun& run) -> Status {
        if (random->uniform() < p) flip_last_bit(run.dst[run.n - 1]);
        return {};
      });
      found += observe_fake(bench, n).stage.differing_runs > 0;
    }
    // Two kinds of bits: nothing is seen when all n + 1 runs, the baseline among them, are of one kind.
    const double theory = 1 - std::pow(1 - p, n + 1) - std::pow(p, n + 1);
    EXPECT_NEAR(found, trials * theory, 4 * std::sqrt(trials * theory * (1 - theory)) + 1) << "p = " << p;
  }
}

TEST(Observe, PassesOnWhatGoesWrong) {
  FakeBench bench([](FakeRun& run) -> Status { return run.call == 2 ? Status(failure("no more")) : Status{}; });
  EXPECT_TRUE(bench.op->run());
  const auto baseline = capture_baseline(*bench.op);
  std::optional<Witness> witness;
  const auto stage = observe(*bench.op, *baseline, "idle", 5, witness);
  ASSERT_FALSE(stage);
  EXPECT_EQ(stage.error().text, "no more");
  const auto unready = observe(*bench.op, *baseline, "idle", 5, witness, [] { return Status(failure("no stress")); });
  EXPECT_EQ(unready.error().text, "no stress");
}

TEST(Witness, RefusesDigestsThatDifferWithoutElements) {
  FakeBench bench({});
  EXPECT_TRUE(bench.op->run());
  const auto baseline = capture_baseline(*bench.op);
  const auto witness = make_witness(*baseline, baseline->outputs, "idle", 1);
  ASSERT_FALSE(witness);
  EXPECT_THAT(witness.error().text, testing::HasSubstr("the digest is broken"));
  EXPECT_FALSE(make_witness(*baseline, {}, "idle", 1));
  EXPECT_FALSE(make_witness(*baseline, {std::vector<std::byte>(8)}, "idle", 1));
}

Digest number(std::uint64_t i) { return {i, i}; }
/// A stage that saw these digests, baseline 0.
Stage stage_of(const std::string& name, const std::vector<std::uint64_t>& runs) {
  Stage stage;
  stage.name = name;
  for (const auto run : runs) count_run(stage, number(0), number(run));
  return stage;
}

TEST(JudgeScope, SamplingWithoutDifferenceHasABound) {
  const auto result = judge_scope(Scope::load, {stage_of("a", {0, 0, 0}), stage_of("b", {0, 0, 0, 0})}, std::nullopt, nullptr);
  EXPECT_EQ(result.verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(result.runs, 7u);
  EXPECT_EQ(result.distinct, 1u);
  EXPECT_DOUBLE_EQ(*result.bound, 1 - std::pow(0.05, 1.0 / 3));
}

TEST(JudgeScope, ConfigurationsHaveNoBound) {
  const auto result = judge_scope(Scope::partition, {stage_of("threads=1", {0, 0}), stage_of("threads=4", {0, 0})}, std::nullopt, nullptr);
  EXPECT_EQ(result.verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(result.runs, 2u);  // configurations, not runs
  EXPECT_FALSE(result.bound);
}

TEST(JudgeScope, UnavailableStagesDoNotCount) {
  Stage missing{"threads=3", 0, 0, {}, "does not exist here"};
  const auto some = judge_scope(Scope::partition, {stage_of("threads=1", {0, 0}), missing}, std::nullopt, nullptr);
  EXPECT_EQ(some.verdict, ScopeVerdict::no_difference);
  EXPECT_EQ(some.runs, 1u);
  const auto none = judge_scope(Scope::partition, {missing}, std::nullopt, nullptr);
  EXPECT_EQ(none.verdict, ScopeVerdict::untested);
  EXPECT_EQ(none.reason, "threads=3: does not exist here");
  EXPECT_EQ(judge_scope(Scope::load, {}, std::nullopt, nullptr).verdict, ScopeVerdict::untested);
}

TEST(JudgeScope, AlreadyDiffersUnlessTheBitsAreNewBeyondChance) {
  const auto repeat = judge_scope(Scope::repeat, {stage_of("idle", {0, 1, 0, 0, 1, 0, 0, 0, 0, 0})}, std::nullopt, nullptr);
  ASSERT_EQ(repeat.verdict, ScopeVerdict::differs);
  const auto verdict = [&](const std::vector<std::uint64_t>& runs) {
    return judge_scope(Scope::load, {stage_of("spinners", runs)}, std::nullopt, &repeat).verdict;
  };
  EXPECT_EQ(verdict({0, 0, 0}), ScopeVerdict::already_differs);
  EXPECT_EQ(verdict({0, 1, 0}), ScopeVerdict::already_differs);
  EXPECT_EQ(verdict({7, 7, 1, 8, 7}), ScopeVerdict::already_differs);  // one of them was known
  EXPECT_EQ(verdict({7, 8, 7, 9, 7}), ScopeVerdict::differs);          // 2 digests in 11 runs, then five new ones
  EXPECT_EQ(verdict({7}), ScopeVerdict::already_differs);              // one new one is chance
}

TEST(JudgeScope, WhereEveryRunWasNewAnywayNewBitsSayNothing) {
  const auto repeat = judge_scope(Scope::repeat, {stage_of("idle", {1, 2, 3, 4, 5})}, std::nullopt, nullptr);
  const auto load = judge_scope(Scope::load, {stage_of("spinners", {6, 7, 8, 9, 10})}, std::nullopt, &repeat);
  EXPECT_EQ(load.verdict, ScopeVerdict::already_differs);
}

TEST(JudgeScope, AScopeDiffersForItselfWhenRepeatDidNot) {
  const auto repeat = judge_scope(Scope::repeat, {stage_of("idle", {0, 0, 0})}, std::nullopt, nullptr);
  Witness evidence;
  evidence.stage = "spinners";
  const auto load = judge_scope(Scope::load, {stage_of("spinners", {0, 4, 0})}, evidence, &repeat);
  EXPECT_EQ(load.verdict, ScopeVerdict::differs);
  EXPECT_EQ(load.distinct, 2u);
  EXPECT_EQ(load.witness->stage, "spinners");
  EXPECT_FALSE(load.bound);
}

}  // namespace
}  // namespace detbench
