#include "bench/analysis/reduction_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/claim_audit.hpp"
#include "bench/analysis/findings.hpp"
#include "bench/analysis/price.hpp"
#include "bench/analysis/tables.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench::analysis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Files without noise: what they hold is written in synthetic_result.hpp.
class ReductionRows : public ::testing::Test {
 protected:
  ReductionRows() : files{synthetic::make({.layers = 0, .reductions = false, .contention = true, .train_step = false, .oddities = false, .noise = 0})} {
    files[0].manifest["cpu"]["caches"] = Json::array({{{"level", 3}, {"bytes", 33554432}}});
    views = view_comparisons(files);
  }
  const ComparisonView& view(const std::string& problem) const {
    for (const auto& v : views)
      if (v.problem.find(problem) != std::string::npos) return v;
    throw std::runtime_error("no problem " + problem);
  }
  std::vector<ResultFile> files;
  std::vector<ComparisonView> views;
};

TEST_F(ReductionRows, ceilingsAreTheFastestArmsOfTheMemoryOps) {
  const auto ceilings = measured_ceilings(views, files[0]);
  ASSERT_EQ(ceilings.size(), 2u);
  EXPECT_EQ(ceilings[0].op, "memory_read");
  EXPECT_NEAR(ceilings[0].gb_per_s, 20, 1e-9);
  EXPECT_EQ(ceilings[1].algorithm, "libc:memcpy");
  EXPECT_NEAR(ceilings[1].gb_per_s, 16, 1e-9);
  EXPECT_EQ(ceilings[1].buffer_bytes, 67108864);  // of the buffer, while twice as much moves
  EXPECT_EQ(nearest_ceiling(ceilings, "memory_write", 1e9), nullptr);
}

TEST(Ceilings, theNearestIsTheOneOfTheClosestRatio) {
  const std::vector<Ceiling> all{{"memory_read", 1e3, 1, "", nullptr}, {"memory_read", 1e6, 2, "", nullptr}, {"memory_copy", 3e4, 3, "", nullptr}};
  EXPECT_EQ(nearest_ceiling(all, "memory_read", 2e4)->gb_per_s, 1);
  EXPECT_EQ(nearest_ceiling(all, "memory_read", 5e4)->gb_per_s, 2);
  EXPECT_EQ(bytes_in_words(1023), "1023 bytes");
  EXPECT_EQ(bytes_in_words(65536), "64 KiB");
  EXPECT_EQ(bytes_in_words(2.5 * 1024 * 1024), "2.5 MiB");
}

TEST_F(ReductionRows, theTableHoldsEveryArmAgainstTheRoofAndTheUnordered) {
  int seen = 0;
  for (const auto& row : reduction_speed_rows(views)) {
    if (row["group"] != "sum") continue;
    ++seen;
    EXPECT_NEAR(row["roof_gb_per_s"].get<double>(), 20, 1e-9);
    EXPECT_EQ(row["unordered"], "openmp:chunk_atomic_static");
    if (row["algorithm"] == "fixed_order:fixed_tree") {
      EXPECT_NEAR(row["share"].get<double>(), 0.85, 1e-9);
      EXPECT_NEAR(row["to_unordered"].get<double>(), 18.0 / 17, 1e-9);
      EXPECT_THAT(row["bound"].get<std::string>(), StartsWith("nearly memory bandwidth"));
      EXPECT_EQ(row["lowering"], "");
    }
    if (row["algorithm"] == "openmp:chunk_atomic_static") {
      EXPECT_EQ(row["bound"], "memory bandwidth");
      EXPECT_THAT(row["lowering"].get<std::string>(), HasSubstr("compare-and-swap loop"));
    }
  }
  EXPECT_EQ(seen, 6);
  EXPECT_THAT(bound_in_words(0.25, 1e6, 1e-3), HasSubstr("reading alone takes 250 us of 1000"));
  EXPECT_THAT(bound_in_words(3.0, 1e6, 1e-3), StartsWith("caches"));
  EXPECT_THAT(bound_in_words(std::nullopt, 1e6, 1e-3), HasSubstr("no memory_read"));
}

TEST_F(ReductionRows, cpuTargetsAreJudged) {
  std::map<std::string, std::vector<std::string>> verdicts;
  for (const auto& row : speed_target_rows(views, files)) {
    const auto target = row["target"].get<std::string>();
    verdicts[target.substr(0, 10)].push_back(row["verdict"]);
    if (row["problem"] == "sum  n67108864" && target.starts_with("fixed tree")) {
      EXPECT_NEAR(row["reached"].get<double>(), 17.0 / 18, 1e-9);
      EXPECT_EQ(row["asked"], "at least 0.9");
    }
  }
  EXPECT_THAT(verdicts["fixed tree"], ::testing::ElementsAre("met", "met"));
  EXPECT_THAT(verdicts["fastest or"], ::testing::ElementsAre("met", "met"));
  // 16 updates per bin: 1.5x; the layout of pairs is none that says anything about contention.
  EXPECT_THAT(verdicts["scatter-ad"], ::testing::ElementsAre("met"));
}

TEST_F(ReductionRows, aMissedTargetSaysWhatBoundsIt) {
  for (auto& record : files[0].records)
    if (record.id.find("exact_window") != std::string::npos)
      for (auto& sample : record.timing->samples) sample.elapsed_s *= 3;
  views = view_comparisons(files);
  int missed = 0;
  for (const auto& row : speed_target_rows(views, files)) {
    if (row["arm"] != "order_independent:exact_window") continue;
    ++missed;
    EXPECT_EQ(row["verdict"], "missed");
    EXPECT_NEAR(row["share"].get<double>(), 0.25, 1e-9);
    EXPECT_THAT(row["bound"].get<std::string>(), StartsWith("arithmetic, latency or waiting"));
  }
  EXPECT_EQ(missed, 2);
}

TEST_F(ReductionRows, smallSumsGiveNoVerdict) {
  files[0].manifest["cpu"]["caches"][0]["bytes"] = 1e12;
  for (const auto& row : speed_target_rows(views, files))
    if (row["target"].get<std::string>().find("beyond the last-level cache") != std::string::npos) {
      EXPECT_THAT(row["verdict"].get<std::string>(), StartsWith("not measured: no sum over 931.3 GiB"));
    }
}

TEST_F(ReductionRows, gpuTargetsAreSharesOfTheReadBandwidth) {
  files[0].backend = "cuda";
  for (auto& info : files[0].comparisons)
    if (info.problem.starts_with("sum/n67108864/")) info.problem = "sum/n268435456/f32_f32_strict/vector", info.bytes = 4.0 * 268435456;
  for (auto& record : files[0].records)
    if (record.id.starts_with("sum/n67108864/")) record.id.replace(0, std::string("sum/n67108864").size(), "sum/n268435456");
  for (auto& record : files[0].records)
    if (record.id.starts_with("sum/n268435456") && record.timing)
      for (auto& sample : record.timing->samples) sample.elapsed_s *= 4;
  views = view_comparisons(files);
  std::map<std::string, std::string> verdicts;
  for (const auto& row : speed_target_rows(views, files)) verdicts[row["target"].get<std::string>().substr(0, 8)] = row["verdict"];
  EXPECT_EQ(verdicts["fixed_tr"], "missed");   // 17 of 20 GB/s
  EXPECT_EQ(verdicts["fastest "], "missed");   // 15 of 20
  EXPECT_THAT(verdicts["two_pass"], StartsWith("not measured: no such arm"));
}

TEST_F(ReductionRows, whereNoneCanShowNothingReadsLikeAResult) {
  const auto& pairs = view("_pairs");
  for (const auto& arm : pairs.arms) {
    EXPECT_EQ(arm.tier, Tier::none_can_show);
    EXPECT_EQ(state_of(*arm.record, Demand::run_to_run), DemandState::untested);
    for (const auto& scope : arm.record->agreement)
      if (scope.verdict == ScopeVerdict::no_difference) {
        EXPECT_THAT(scope_words(*arm.record, scope), HasSubstr("none can show: at most two updates meet"));
        EXPECT_THAT(scope_words(*arm.record, scope), Not(HasSubstr(" in 10 runs")));
      }
  }
  EXPECT_EQ(price_of(pairs, Demand::run_to_run).why_not, "untested: no order of additions can show here");
  const auto cases = worst_case_rows(views);
  ASSERT_EQ(cases.size(), 2u);
  EXPECT_EQ(cases[0]["seen"], "no difference seen, and none can show");
  for (const auto& row : contention_rows(views)) EXPECT_EQ(row["shows"], row["layout"] == "pairs" ? "no" : "yes");
  // In the matrix the three other problems are the ones tested.
  for (const auto& row : verdict_rows(views))
    if (row["panel"] == "scatter_add" && row["algorithm"] == "openmp:atomic" && row["scope"] == "repeat") {
      EXPECT_EQ(row["text"], "3/3");
      EXPECT_EQ(row["none_can_show"], 1);
    }
}

TEST_F(ReductionRows, onlyUnshowableRowsGiveACellOfTheirOwn) {
  std::erase_if(files[0].records, [](const Record& r) { return r.id.find("_pairs/") == std::string::npos; });
  views = view_comparisons(files);
  int cells = 0;
  for (const auto& row : verdict_rows(views))
    if (row["scope"] == "repeat") {
      ++cells;
      EXPECT_EQ(row["verdict"], "none can show");
      EXPECT_EQ(row["text"], "-");
    }
  EXPECT_EQ(cells, 2);
  for (const auto& row : audit_claims(files)) {
    EXPECT_EQ(row.verdict, AuditVerdict::untested);
    EXPECT_THAT(evidence_sentence(row), StartsWith("no difference seen, and none can show: at most two"));
  }
}

// A difference stands, whatever a note says.
TEST_F(ReductionRows, aDifferenceIsShownEvenWhereNoneShould) {
  for (auto& record : files[0].records)
    if (record.id.find("bins1024") != std::string::npos) record.notes["cannot_show"] = "a wrong note";
  views = view_comparisons(files);
  for (const auto& arm : view("bins1024").arms)
    EXPECT_EQ(arm.tier, arm.algorithm == "openmp:atomic" ? Tier::differs_run_to_run : Tier::none_can_show);
}

TEST_F(ReductionRows, contentionFollowsUpdatesPerBin) {
  std::map<double, double> price;
  for (const auto& row : contention_rows(views)) {
    EXPECT_EQ(row["atomic"], "openmp:atomic");
    EXPECT_EQ(row["ordered"], "fixed_order:sort_tree");
    price[row["updates_per_bin"].get<double>()] = row["price"].get<double>();
  }
  ASSERT_EQ(price.size(), 4u);
  EXPECT_NEAR(price[16], 1.5, 1e-9);
  EXPECT_NEAR(price[1024], 1.0, 1e-9);
  EXPECT_NEAR(price[65536], 0.5, 1e-9);
}

TEST_F(ReductionRows, threePricesCarryErrorBitsAndTime) {
  const auto rows = three_price_rows(views, 12);
  ASSERT_EQ(rows.size(), 2u * 3 + 2);  // of each op and distribution the largest problem
  std::set<std::string> panels;
  for (const auto& row : rows) {
    panels.insert(row["panel"]);
    EXPECT_TRUE(row["label"].is_string());
    EXPECT_LE(row["axis_low"].get<double>(), row["time_us"].get<double>());
    EXPECT_GE(row["axis_high"].get<double>(), row["time_us"].get<double>());
    if (row["algorithm"] == "order_independent:exact_window") {
      EXPECT_EQ(row["error_ulp"], 0.5);
    }
    if (row["algorithm"] == "openmp:chunk_atomic_static" && row["panel"] == "sum  n67108864  f32_f32_strict") {
      EXPECT_EQ(row["error_low"], 6);
      EXPECT_EQ(row["error_high"], 12);
      EXPECT_EQ(row["observed"], "differs from run to run");
    }
  }
  EXPECT_EQ(panels.size(), 3u);
  EXPECT_EQ(three_price_rows(views, 2).size(), 3u + 2);  // one of each op before a second of any
}

TEST_F(ReductionRows, findingsSayWhichWayIsMoreAccurateAndWhere) {
  std::string words;
  for (const auto& finding : find_findings(files, views)) words += finding.text + "\n";
  EXPECT_THAT(words, HasSubstr("in 1 of 6 problems (1 wide) the fastest fixed order is less accurate than the fastest atomic arm, up to 4 times; most in sum "
                               "n67108864_wide (wide): fixed_order:fixed_tree 16 ULP against openmp:chunk_atomic_static 4 ULP."));
  EXPECT_THAT(words, HasSubstr("in 4 of 6 problems (4 centred) the fastest fixed order is more accurate"));
  EXPECT_THAT(words, HasSubstr("in 1 of 6 problems the fixed order's lies within"));
  EXPECT_THAT(words, HasSubstr("2 of 2 order-independent arms are correctly rounded"));
  EXPECT_THAT(words, HasSubstr("read 20 GB/s at 64 MiB"));
  EXPECT_THAT(words, HasSubstr("0.5x at 6.554e+04 updates per bin"));
  EXPECT_THAT(words, HasSubstr("1 unordered row showed no difference, and none can show there"));
  EXPECT_THAT(words, HasSubstr("met in 2 of 2"));
  EXPECT_THAT(words, Not(HasSubstr("eterministic")));
}

// They answer what the machine can do, not what bits cost.
TEST_F(ReductionRows, memoryOpsHaveNoPriceOfAgreement) {
  for (const auto& row : price_rows(views)) EXPECT_THAT(row["group"].get<std::string>(), Not(StartsWith("memory_")));
  for (const auto& row : tradeoff_rows(views, 100)) EXPECT_THAT(row["panel"].get<std::string>(), Not(StartsWith("memory_")));
  EXPECT_FALSE(tradeoff_rows(views, 100).empty());
}

TEST(ReductionProblems, areReadFromShapes) {
  ComparisonView view;
  view.op = "scatter_add";
  view.problem = "scatter_add/n4096_bins64_hot4_wide/f16_f32_strict/vector";
  auto problem = reduction_problem(view);
  EXPECT_EQ(problem.distribution, "wide");
  EXPECT_EQ(problem.layout, "4 hot");
  EXPECT_EQ(*problem.updates_per_bin, 64);
  view.problem = "index_add/n4096_bins64_hot0_d16_spread/f32_f32_strict/vector";
  problem = reduction_problem(view);
  EXPECT_EQ(problem.layout, "spread");
  EXPECT_EQ(problem.distribution, "centred");
  view.problem = "sum/n1024_cancelling/f64_f64_strict/vector";
  problem = reduction_problem(view);
  EXPECT_EQ(problem.distribution, "cancelling");
  EXPECT_FALSE(problem.updates_per_bin);
}

}  // namespace
}  // namespace detbench::analysis
