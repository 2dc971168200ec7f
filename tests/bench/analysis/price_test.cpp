// Prices and views held against samples written by hand, and against a second arithmetic.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/analysis/price.hpp"
#include "bench/core/schedule.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench::analysis {
namespace {

constexpr const char* problem = "conv_fwd/n1/f32_f32_strict/nhwc";

ScopeResult seen(Scope scope, ScopeVerdict verdict) {
  ScopeResult r;
  r.scope = scope;
  r.verdict = verdict;
  r.runs = 10;
  r.distinct = verdict == ScopeVerdict::differs ? 2 : 1;
  return r;
}

/// An arm that takes one time in the choosing half of the blocks and another in the reporting half.
Record arm(const ComparisonInfo& info, const std::string& name, double choosing_s, double reporting_s,
           ScopeVerdict partition) {
  Record r;
  r.id = std::string(problem) + "/" + name;
  r.status = RunStatus::ok;
  for (const auto scope : {Scope::repeat, Scope::process, Scope::load})
    r.agreement.push_back(seen(scope, ScopeVerdict::no_difference));
  r.agreement.push_back(seen(Scope::partition, partition));
  const auto choosing = choosing_blocks(info.blocks, info.schedule_seed);
  r.timing.emplace();
  for (std::uint32_t b = 0; b < info.blocks; ++b) {
    Sample s;
    s.block = b;
    s.elapsed_s = choosing[b] ? choosing_s : reporting_s;
    r.timing->samples.push_back(s);
  }
  return r;
}

class Prices : public ::testing::Test {
 protected:
  Prices() : files_(1) {
    ComparisonInfo info;
    info.problem = problem;
    info.suite = "convolution";
    info.blocks = 20;
    info.schedule_seed = 7;
    files_[0].comparisons.push_back(info);
  }
  const ComparisonInfo& info() { return files_[0].comparisons[0]; }
  void add(const std::string& name, double choosing_s, double reporting_s, ScopeVerdict partition) {
    files_[0].records.push_back(arm(info(), name, choosing_s, reporting_s, partition));
  }
  Price price(Demand demand) {
    views_ = view_comparisons(files_);
    return price_of(views_.at(0), demand);
  }
  std::vector<ResultFile> files_;
  std::vector<ComparisonView> views_;
};

// The winner's curse: the arm that was lucky in the choosing half is judged by the other half alone.
TEST_F(Prices, choosingPicksAndReportingPublishes) {
  add("a:lucky", 1.0, 3.0, ScopeVerdict::differs);
  add("a:steady", 2.0, 2.0, ScopeVerdict::no_difference);
  const auto p = price(Demand::partition);
  ASSERT_TRUE(p.fastest && p.chosen);
  EXPECT_EQ(p.fastest->algorithm, "a:lucky");
  EXPECT_EQ(p.chosen->algorithm, "a:steady");
  EXPECT_NEAR(*p.ratio, 2.0 / 3.0, 1e-12);
  EXPECT_DOUBLE_EQ(p.fastest->time->median_s, 3.0);
  for (const auto& view : views_)
    for (const auto& each : view.arms)
      for (const auto& sample : each.reporting)
        EXPECT_FALSE(choosing_blocks(info().blocks, info().schedule_seed)[sample.block]);
}

TEST_F(Prices, theSameArmCostsExactlyNothing) {
  add("a:one", 1.0, 1.1, ScopeVerdict::no_difference);
  add("a:two", 1.2, 1.0, ScopeVerdict::differs);
  const auto p = price(Demand::partition);
  EXPECT_EQ(p.chosen, p.fastest);
  EXPECT_EQ(*p.ratio, 1.0);
  EXPECT_EQ(p.verdict, TimingVerdict::same);
}

TEST_F(Prices, demandsAreNested) {
  add("a:fast", 1.0, 1.0, ScopeVerdict::differs);
  add("a:safe", 1.5, 1.5, ScopeVerdict::no_difference);
  EXPECT_EQ(price(Demand::nothing).chosen->algorithm, "a:fast");
  EXPECT_EQ(price(Demand::run_to_run).chosen->algorithm, "a:fast");
  EXPECT_NEAR(*price(Demand::partition).ratio, 1.5, 1e-12);
}

TEST_F(Prices, saysWhyThereIsNone) {
  add("a:fast", 1.0, 1.0, ScopeVerdict::differs);
  auto p = price(Demand::partition);
  EXPECT_FALSE(p.ratio);
  EXPECT_EQ(p.why_not, "every timed arm differs");
  EXPECT_FALSE(p.untested);
  add("a:unknown", 2.0, 2.0, ScopeVerdict::untested);
  p = price(Demand::partition);
  EXPECT_TRUE(p.untested);
  EXPECT_THAT(p.why_not, ::testing::StartsWith("untested"));
  files_[0].records.clear();
  files_[0].records.emplace_back().id = std::string(problem) + "/a:gone";
  EXPECT_EQ(price(Demand::partition).why_not, "nothing was timed");
}

// A row that is not ok publishes nothing, whatever samples it carries.
TEST_F(Prices, failedRowsAreNotTimed) {
  add("a:wrong", 0.1, 0.1, ScopeVerdict::no_difference);
  files_[0].records.back().status = RunStatus::incorrect;
  add("a:right", 1.0, 1.0, ScopeVerdict::no_difference);
  const auto p = price(Demand::partition);
  EXPECT_EQ(p.fastest->algorithm, "a:right");
  EXPECT_EQ(views_[0].arms.size(), 2u);
  EXPECT_FALSE(views_[0].arms[1].timed());
}

TEST_F(Prices, aBusyMachineLeavesEverythingAmbiguous) {
  add("a:fast", 1.0, 1.0, ScopeVerdict::differs);
  add("a:safe", 2.0, 2.0, ScopeVerdict::no_difference);
  for (auto& r : files_[0].records)
    for (auto& s : r.timing->samples) s.foreign_load = s.block % 2 == 0;
  const auto p = price(Demand::partition);
  EXPECT_TRUE(p.view->busy);
  EXPECT_EQ(p.verdict, TimingVerdict::ambiguous);
  EXPECT_TRUE(p.ratio);
}

TEST_F(Prices, aSlowArmStandsOnlyWhereNoOtherMeetsTheDemand) {
  add("a:fast", 1.0, 1.0, ScopeVerdict::differs);
  add("a:slow", 50.0, 50.0, ScopeVerdict::no_difference);
  auto& slow = *files_[0].records.back().timing;
  slow.slow = true;
  const auto choosing = choosing_blocks(info().blocks, info().schedule_seed);
  std::erase_if(slow.samples, [&](const Sample& s) { return choosing[s.block]; });
  slow.samples.resize(1);
  const auto p = price(Demand::partition);
  ASSERT_TRUE(p.chosen);
  EXPECT_EQ(p.chosen->algorithm, "a:slow");
  EXPECT_FALSE(p.interval);
  EXPECT_NEAR(*p.ratio, 50.0, 1e-9);
  EXPECT_EQ(p.verdict, TimingVerdict::ambiguous);
}

TEST(PriceSummaries, agreeWithTheirDefinition) {
  std::vector<ResultFile> files{synthetic::make({.layers = 6, .arms = 4, .oddities = false})};
  const auto views = view_comparisons(files);
  std::vector<Price> prices;
  double logs = 0;
  for (const auto& view : views)
    if (view.suite == "convolution") prices.push_back(price_of(view, Demand::partition));
  ASSERT_EQ(prices.size(), 12u);
  for (const auto& p : prices) {
    // Arm 0 is the fastest and differs, arm 1 takes a tenth longer and does not; noise is one percent.
    EXPECT_NEAR(*p.ratio, 1.1, 0.02);
    EXPECT_EQ(p.verdict, TimingVerdict::slower);
    EXPECT_LE(p.interval->low, *p.ratio);
    EXPECT_GE(p.interval->high, *p.ratio);
    logs += std::log(*p.ratio);
  }
  const auto s = summarize_prices(prices);
  EXPECT_EQ(s.problems, 12u);
  EXPECT_EQ(s.dearer, 12u);
  EXPECT_NEAR(*s.geometric_mean, std::exp(logs / 12), 1e-12);
}

TEST(Views, agreementMakesTiers) {
  Record r;
  EXPECT_EQ(tier_of(r), Tier::partly_untested);
  for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition})
    r.agreement.push_back(seen(scope, ScopeVerdict::no_difference));
  EXPECT_EQ(tier_of(r), Tier::no_difference);
  r.agreement.push_back(seen(Scope::placement, ScopeVerdict::differs));
  EXPECT_EQ(tier_of(r), Tier::differs_otherwise);
  r.agreement[3].verdict = ScopeVerdict::untested;
  r.agreement[4].verdict = ScopeVerdict::not_applicable;
  EXPECT_EQ(tier_of(r), Tier::partly_untested);
  r.agreement[3].verdict = ScopeVerdict::already_differs;
  EXPECT_EQ(tier_of(r), Tier::differs_with_partition);
  r.agreement[2].verdict = ScopeVerdict::differs;
  EXPECT_EQ(tier_of(r), Tier::differs_run_to_run);
  EXPECT_EQ(state_of(r, Demand::run_to_run), DemandState::differs);
  EXPECT_EQ(state_of(r, Demand::nothing), DemandState::met);
}

// The frontier by its definition, over every pair.
TEST(Views, theFrontierIsWhatNothingDominates) {
  std::vector<ResultFile> files{synthetic::make({.layers = 4, .arms = 20})};
  std::size_t checked = 0;
  for (const auto& view : view_comparisons(files))
    for (const auto& a : view.arms) {
      if (!a.timed()) continue;
      bool dominated = false;
      for (const auto& b : view.arms)
        if (b.timed() && *b.relative < *a.relative && b.tier >= a.tier) dominated = true;
      EXPECT_EQ(a.frontier_agreement, !dominated) << view.problem << " " << a.algorithm;
      ++checked;
    }
  EXPECT_GT(checked, 150u);
}

TEST(Views, labelsAreUniqueAndShort) {
  std::vector<ResultFile> files{synthetic::make({.layers = 30, .arms = 1}),
                                synthetic::make({.seed = 2, .layers = 30, .arms = 1})};
  // One layer in a second layout, as profiles have it.
  auto copy = files[0].comparisons[0];
  copy.problem.replace(copy.problem.rfind("nhwc"), 4, "blocked");
  files[0].comparisons.push_back(copy);
  std::set<std::string> labels;
  const auto views = view_comparisons(files);
  for (const auto& view : views) labels.insert(view.group() + "/" + view.label);
  EXPECT_EQ(labels.size(), views.size());
  EXPECT_TRUE(labels.contains("conv_fwd · A/block_0_expand nhwc"));
  EXPECT_TRUE(labels.contains("conv_fwd · A/block_0_expand blocked"));
  EXPECT_TRUE(labels.contains("conv_fwd · B/block_0_expand"));
}

}  // namespace
}  // namespace detbench::analysis
