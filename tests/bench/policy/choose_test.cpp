#include "bench/policy/choose.hpp"

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

TEST(Choose, TheChoosingHalfDecidesAndTheReportingHalfDoesNot) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:a", 1.0, 9.0, ScopeVerdict::differs);
  f.arm(nhwc, "onednn:b", 2.0, 0.1, ScopeVerdict::no_difference);
  const auto chosen = choose(measured_policies()[0], f.comparisons, f.records);
  ASSERT_NE(chosen.selection.find(question), nullptr);
  EXPECT_EQ(chosen.selection.find(question)->algorithm.name, "a");
}

TEST(Choose, ADemandLeavesOutWhatDifferedAndWhatWasNotTested) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:fast", 1.0, 1.0, ScopeVerdict::differs);
  f.arm(nhwc, "onednn:untested", 2.0, 2.0, ScopeVerdict::untested);
  f.arm(nhwc, "fixed_order:direct", 3.0, 3.0, ScopeVerdict::no_difference);
  EXPECT_EQ(choose(measured_policies()[1], f.comparisons, f.records).selection.find(question)->algorithm.name, "fast");
  const auto strict = choose(measured_policies()[2], f.comparisons, f.records);
  EXPECT_EQ(strict.selection.find(question)->algorithm.name, "direct");
  EXPECT_TRUE(strict.unmet.empty());
  f.records.pop_back();
  const auto none = choose(measured_policies()[2], f.comparisons, f.records);
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
  const auto chosen = choose(measured_policies()[0], f.comparisons, f.records);
  EXPECT_EQ(chosen.selection.activation_layout, "nhwc");
  EXPECT_EQ(chosen.selection.find(question)->layout, "nhwc");
  f.comparisons.back().used_by.resize(1);
  f.comparisons[2].used_by.resize(1);
  EXPECT_EQ(choose(measured_policies()[0], f.comparisons, f.records).selection.activation_layout, "blocked");
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
  EXPECT_EQ(choose(measured_policies()[0], f.comparisons, f.records).selection.find(question)->algorithm.name, "jit:avx512_core");
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
  EXPECT_EQ(choose(measured_policies()[0], f.comparisons, f.records).selection.find(layer)->algorithm.provider, "fixed_order");
}

TEST(Choose, FilesOfPoliciesAreReadBack) {
  Fixture f;
  f.comparison(nhwc);
  f.arm(nhwc, "onednn:jit_1x1:avx2", 1.0, 1.0, ScopeVerdict::no_difference);
  const std::filesystem::path folder = testing::TempDir() + "detbench_policies";
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(write_policies(f.comparisons, f.records, {{"cpu", "x"}}, folder));
  for (const auto& policy : measured_policies()) {
    const auto read = read_selection_file((folder / policy_file_name(policy.name)).string());
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->name, policy.name);
    EXPECT_EQ(read->find(question)->algorithm.name, "jit_1x1:avx2");
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace detbench
