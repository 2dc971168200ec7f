#include "bench/policy/picks.hpp"

#include <gtest/gtest.h>

#include "bench/core/schedule.hpp"

namespace detbench {
namespace {

constexpr std::uint32_t blocks = 8;
constexpr std::uint64_t seed = 5;

/// Samples that take `choosing_s` in the half that chooses and `reporting_s` in the one that reports.
std::vector<Sample> samples(double choosing_s, double reporting_s) {
  const auto choosing = choosing_blocks(blocks, seed);
  std::vector<Sample> all;
  for (std::uint32_t b = 0; b < blocks; ++b) {
    Sample sample;
    sample.block = b;
    sample.elapsed_s = choosing[b] ? choosing_s : reporting_s;
    all.push_back(sample);
  }
  return all;
}

struct Fixture {
  std::vector<ComparisonInfo> comparisons;
  std::vector<Record> records;

  void comparison(const std::string& problem, std::size_t uses = 1) {
    ComparisonInfo info;
    info.problem = problem;
    info.used_by.assign(uses, "net:layer");
    info.blocks = blocks;
    info.schedule_seed = seed;
    comparisons.push_back(info);
  }
  void arm(const std::string& problem, const std::string& algorithm, double choosing_s, double reporting_s, ScopeVerdict partition) {
    Record record;
    record.id = problem + "/" + algorithm;
    record.status = RunStatus::ok;
    record.timing = Timing{samples(choosing_s, reporting_s), "", false};
    for (Scope scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition}) {
      ScopeResult result;
      result.scope = scope;
      result.verdict = scope == Scope::partition ? partition : ScopeVerdict::no_difference;
      record.agreement.push_back(result);
    }
    records.push_back(record);
  }
};

const std::string nhwc = "conv_wgrad/mb1/f32_f32_strict/nhwc", blocked = "conv_wgrad/mb1/f32_f32_strict/blocked";
const Problem question{"conv_wgrad", "mb1", "f32_f32_strict", ""};

Candidate choose(const char* policy, const Fixture& f, const std::vector<Strike>& struck = {}) {
  return Choices(f.comparisons, f.records).choose(*parse_policy(policy), struck);
}

TEST(Choose, TheChoosingHalfDecidesAndTheReportingHalfDoesNot) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:a", 1.0, 9.0, ScopeVerdict::differs);
  f.arm(nhwc, "onednn:b", 2.0, 0.1, ScopeVerdict::no_difference);
  const auto chosen = choose("fastest", f);
  ASSERT_NE(chosen.selection.find(question), nullptr);
  EXPECT_EQ(chosen.selection.find(question)->algorithm.name, "a");
}

TEST(Choose, ADemandLeavesOutWhatDifferedAndWhatWasNotTested) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:fast", 1.0, 1.0, ScopeVerdict::differs);
  f.arm(nhwc, "onednn:untested", 2.0, 2.0, ScopeVerdict::untested);
  f.arm(nhwc, "fixed_order:direct", 3.0, 3.0, ScopeVerdict::no_difference);
  EXPECT_EQ(choose("fastest_observed:run_to_run", f).selection.find(question)->algorithm.name, "fast");
  const auto strict = choose("fastest_observed:partition", f);
  EXPECT_EQ(strict.selection.find(question)->algorithm.name, "direct");
  EXPECT_TRUE(strict.unmet.empty());
  f.records.pop_back();
  const auto none = choose("fastest_observed:partition", f);
  EXPECT_EQ(none.selection.find(question), nullptr);
  EXPECT_EQ(none.unmet.size(), 1U);
}

TEST(Choose, TheNetworksLayoutIsTheCheaperOneOverAllLayers) {
  Fixture f;
  const std::string other_nhwc = "conv_fwd/mb1/f32_f32_strict/nhwc", other_blocked = "conv_fwd/mb1/f32_f32_strict/blocked";
  f.comparison(nhwc);
  f.comparison(blocked);
  f.comparison(other_nhwc, 10);  // ten layers share this problem
  f.comparison(other_blocked, 10);
  f.arm(nhwc, "onednn:a", 1.0, 1.0, ScopeVerdict::no_difference);
  f.arm(blocked, "onednn:a", 0.5, 0.5, ScopeVerdict::no_difference);
  f.arm(other_nhwc, "onednn:a", 1.0, 1.0, ScopeVerdict::no_difference);
  f.arm(other_blocked, "onednn:a", 1.2, 1.2, ScopeVerdict::no_difference);
  const auto chosen = choose("fastest", f);
  EXPECT_EQ(chosen.selection.activation_layout, "nhwc");
  EXPECT_EQ(chosen.selection.find(question)->layout, "nhwc");
  f.comparisons.back().used_by.resize(1);
  f.comparisons[2].used_by.resize(1);
  EXPECT_EQ(choose("fastest", f).selection.activation_layout, "blocked");
}

TEST(Choose, AnArmOfAnotherLayoutIsChargedItsReorders) {
  Fixture f;
  f.comparison(nhwc);
  f.comparison(blocked);
  f.arm(nhwc, "onednn:jit:avx2@formats=any", 3.0, 3.0, ScopeVerdict::no_difference);
  f.arm(blocked, "onednn:jit:avx2", 1.0, 1.0, ScopeVerdict::no_difference);
  f.records.back().notes = {{"layout_src", "nchw8c"}, {"layout_dst", "nchw8c"}};
  f.arm(blocked, "onednn:jit:avx512_core", 1.5, 1.5, ScopeVerdict::no_difference);
  f.records.back().notes = {{"layout_src", "nchw16c"}, {"layout_dst", "nchw16c"}};
  EXPECT_EQ(choose("fastest", f).selection.find(question)->algorithm.name, "jit:avx512_core");
}

TEST(Choose, ADenseLayersWeightsAreChargedTheirReorder) {
  Fixture f;
  const std::string dense = "dense_fwd/mb8_ic4_oc4/f32_f32_strict/rowmajor";
  f.comparison(dense);
  f.arm(dense, "onednn:gemm", 1.0, 1.0, ScopeVerdict::no_difference);
  f.records.back().notes = {{"layout_src", "plain"}, {"layout_weights", "strides:1x4"}};
  f.arm(dense, "onednn:gemm@formats=any", 5.0, 5.0, ScopeVerdict::no_difference);
  f.arm(dense, "fixed_order:direct", 2.0, 2.0, ScopeVerdict::no_difference);
  const Problem layer{"dense_fwd", "mb8_ic4_oc4", "f32_f32_strict", ""};
  EXPECT_EQ(choose("fastest", f).selection.find(layer)->algorithm.provider, "fixed_order");
}

TEST(Choose, AnArmOfAStepIsNoLayer) {
  Fixture f;
  f.comparison("train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc");
  f.comparisons.back().suite = "train_step";
  f.arm(f.comparisons.back().problem, "network:fastest", 1.0, 1.0, ScopeVerdict::no_difference);
  EXPECT_EQ(choose("fastest", f).selection.rules(), 0U);
}

TEST(Choose, BatchAsksNothingOfAnOpThatSumsOverIt) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:a", 1.0, 1.0, ScopeVerdict::no_difference);
  EXPECT_EQ(choose("fastest_observed:batch", f).unmet.size(), 1U) << "an arm that was not probed in a scope meets no demand for it";
  ScopeResult batch;
  batch.scope = Scope::batch;
  batch.verdict = ScopeVerdict::not_applicable;
  f.records.back().agreement.push_back(batch);
  EXPECT_TRUE(choose("fastest_observed:batch", f).unmet.empty());
  f.records.back().agreement.back().verdict = ScopeVerdict::differs;
  EXPECT_EQ(choose("fastest_observed:batch", f).unmet.size(), 1U);
}

TEST(Choose, ClaimsCountByTheirCoverageAndNotByWhatWasObserved) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "cudnn_graph:eng1", 1.0, 1.0, ScopeVerdict::no_difference);  // claims nothing
  f.arm(nhwc, "cudnn_graph:eng2", 2.0, 2.0, ScopeVerdict::differs);
  f.records.back().claim = {Guarantee::run_to_run, "a note", {Scope::repeat, Scope::process, Scope::load}};
  f.arm(nhwc, "fixed_order:direct", 3.0, 3.0, ScopeVerdict::no_difference);
  f.records.back().claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
  EXPECT_EQ(choose("fastest_claimed:run_to_run", f).selection.find(question)->algorithm.name, "eng2");
  EXPECT_EQ(choose("fastest_claimed:partition", f).selection.find(question)->algorithm.name, "direct");
}

/// Three problems with a fast arm that differs and a slower one that does not: 1, 4 and 2 layers; 1.0 s each, moves of 0.1, 0.2 and 0.5 s.
Fixture priced() {
  Fixture f;
  const double extra_s[] = {0.1, 0.2, 0.5};
  const std::size_t uses[] = {1, 4, 2};
  for (int i = 0; i < 3; ++i) {
    const std::string problem = "conv_wgrad/mb" + std::to_string(i + 1) + "/f32_f32_strict/nhwc";
    f.comparison(problem, uses[i]);
    f.arm(problem, "onednn:fast", 1.0, 1.0, ScopeVerdict::differs);
    f.arm(problem, "fixed_order:direct", 1.0 + extra_s[i], 1.0, ScopeVerdict::no_difference);
  }
  return f;
}

TEST(Choose, ABudgetBuysTheMostLayersAndNeverMoreThanItHas) {
  const auto f = priced();  // fastest: 7 layers of 1.0 s
  const auto met = [&](const char* policy) { return choose(policy, f).layers_met; };
  EXPECT_EQ(met("budget:0%"), 0U);
  EXPECT_EQ(met("budget:2%"), 1U);   // 0.14 s: the one layer for 0.1
  EXPECT_EQ(met("budget:10%"), 1U);  // 0.7 s: what is left does not pay for four layers at 0.2, nor for two at 0.5
  EXPECT_EQ(met("budget:13%"), 5U);  // 0.91 s: 0.1 + 0.8
  EXPECT_EQ(met("budget:28%"), 7U);  // 1.96 s: 0.1 + 0.8 + 1.0
  const auto candidate = choose("budget:13%", f);
  EXPECT_DOUBLE_EQ(candidate.fastest_s, 7.0);
  EXPECT_NEAR(candidate.total_s, 7.9, 1e-12);
  EXPECT_LE(candidate.total_s, candidate.fastest_s * 1.13 + 1e-12);
  EXPECT_EQ(candidate.layers, 7U);
  // A smaller move behind one that does not fit is still bought.
  Fixture g = priced();
  g.comparisons[1].used_by.resize(1);
  g.comparisons[1].used_by.resize(40, "net:layer");
  EXPECT_EQ(choose("budget:3%", g).layers_met, 3U);  // 43 s: 1.29 s pay for 0.1 and 2 x 0.5, not for 40 x 0.2
}

TEST(Choose, ABudgetKeepsWhatMeetsTheDemandForNothing) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:a", 1.0, 1.0, ScopeVerdict::no_difference);
  f.arm(nhwc, "fixed_order:direct", 9.0, 9.0, ScopeVerdict::no_difference);
  const auto free = choose("budget:0%", f);
  EXPECT_EQ(free.layers_met, 1U);
  EXPECT_EQ(free.selection.find(question)->algorithm.name, "a");
}

TEST(Choose, AStrikeTakesAnArmFromTheDemandsThatHoldItsScope) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:a", 1.0, 1.0, ScopeVerdict::no_difference);
  f.arm(nhwc, "onednn:b", 2.0, 2.0, ScopeVerdict::no_difference);
  const std::vector<Strike> partition{{nhwc + "/onednn:a", Scope::partition, "differs"}};
  EXPECT_EQ(choose("fastest_observed:partition", f, partition).selection.find(question)->algorithm.name, "b");
  EXPECT_EQ(choose("fastest_observed:run_to_run", f, partition).selection.find(question)->algorithm.name, "a");
  const std::vector<Strike> wrong{{nhwc + "/onednn:a", std::nullopt, "crashed"}};
  EXPECT_EQ(choose("fastest", f, wrong).selection.find(question)->algorithm.name, "b");
}

TEST(Choose, FilesOfPoliciesAreReadBack) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:jit_1x1:avx2", 1.0, 1.0, ScopeVerdict::no_difference);
  const std::filesystem::path folder = testing::TempDir() + "detbench_policies";
  std::filesystem::remove_all(folder);
  std::vector<Selection> selections;
  for (const auto& policy : policies_of_profile("quick")) selections.push_back(choose(policy.name.c_str(), f).selection);
  ASSERT_TRUE(write_policies(selections, folder));
  for (const auto& policy : policies_of_profile("quick")) {
    const auto read = read_selection_file((folder / policy_file_name(policy.name)).string());
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->name, policy.name);
    EXPECT_EQ(read->find(question)->algorithm.name, "jit_1x1:avx2");
  }
  std::filesystem::remove_all(folder);
}

TEST(PolicyNames, OnePolicyHasOneName) {
  for (const char* name : {"fastest", "fastest_observed:run_to_run", "fastest_observed:batch", "fastest_claimed:partition", "budget:10%", "budget:2.5%",
                           "budget:0%", "budget:10%:run_to_run"}) {
    const auto policy = parse_policy(name);
    ASSERT_TRUE(policy) << policy.error().text;
    EXPECT_EQ(policy->name, name);
    EXPECT_FALSE(policy->meaning().empty());
    // Its name is one of an algorithm in a case name, and of a file.
    const Problem step{"train_step_mobilenet_v2", "alpha0.35_px96_mb8_classes1000", "f32_f32_strict", "nhwc"};
    const auto read = parse_case_id(case_id(step, {"network", name, {{"steps", "3"}}, {}}));
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->algorithm.name, name);
    EXPECT_EQ(policy_file_name(name).find(':'), std::string::npos);
  }
  EXPECT_EQ(parse_policy("budget:10%")->demand.name, "partition");
  EXPECT_EQ(parse_policy("budget:2.5%:run_to_run")->budget_percent, 2.5);
  for (const char* bad : {"", "slowest", "fastest_observed", "fastest_observed:", "fastest_observed:none", "fastest_observed:machine", "budget:", "budget:10",
                          "budget:010%", "budget:1e1%", "budget:-1%", "budget:-0%", "budget:nan%", "budget:10%x", "budget:10%:", "budget:10%:partition", "budget:2000%"}) {
    const auto policy = parse_policy(bad);
    ASSERT_FALSE(policy) << bad;
    EXPECT_EQ(policy.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(policy.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace detbench
