// The sentences about whole networks: which policies stand in one, what they cost, what their bits did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/headlines.hpp"
#include "tests/bench/analysis/scope_rows.hpp"

namespace detbench::analysis::headlines_rows {
namespace {

using scope_rows::other, scope_rows::same, scope_rows::scope_row;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* step = "train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/bf16_f32_strict/nhwc";

/// A file of one train step whose arms take the given times, with a little noise that blocks do not share.
class Networks : public ::testing::Test {
 protected:
  Networks() : files_(1) {
    auto& file = files_[0];
    file.backend = "cuda";
    file.manifest = {{"gpu", {{"name", "synthetic GPU"}}}, {"driver", "1.2"}, {"libraries", {{"cudnn", "9.9.9"}, {"cublas", "absent"}, {"onednn", "2.6"}}}};
    ComparisonInfo info;
    info.problem = step;
    info.suite = "train_step";
    info.blocks = 20;
    info.schedule_seed = 7;
    info.twin_of = "network:fastest@steps=3";
    info.twin_samples = samples(1.0, 3);
    file.comparisons.push_back(info);
  }
  static std::vector<Sample> samples(double seconds, int salt) {
    std::vector<Sample> all;
    for (std::uint32_t b = 0; b < 20; ++b) {
      Sample s;
      s.block = b;
      s.elapsed_s = seconds * (1 + 0.001 * ((b * 7 + static_cast<std::uint32_t>(salt) * 3) % 5));
      all.push_back(s);
    }
    return all;
  }
  Record& add(const std::string& policy, double seconds, std::vector<ScopeResult> agreement) {
    Record r;
    r.id = std::string(step) + "/network:" + policy;
    r.suite = "train_step";
    r.replay = "detbench run " + r.id;
    r.status = RunStatus::ok;
    r.agreement = std::move(agreement);
    r.timing.emplace();
    r.timing->samples = samples(seconds, static_cast<int>(files_[0].records.size()));
    files_[0].records.push_back(std::move(r));
    return files_[0].records.back();
  }
  std::vector<Headline> headlines() {
    views_ = view_comparisons(files_);
    return make_headlines(views_);
  }
  static std::vector<ScopeResult> quiet() {
    return {scope_row(Scope::repeat, same, 10), scope_row(Scope::process, same, 2), scope_row(Scope::load, same, 30)};
  }
  std::vector<ResultFile> files_;
  std::vector<ComparisonView> views_;
};

TEST_F(Networks, sayWhatNoDifferenceCosts) {
  add("fastest@steps=3", 1.0, {scope_row(Scope::repeat, other, 10, 7, 4)});
  add("fastest_observed:run_to_run@steps=3", 1.25, quiet());
  add("library_heuristic@steps=3", 1.5, quiet());
  const auto found = headlines();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].title(), "train step of mobilenet_v2 (alpha 0.35, 96 px, batch 8, 1000 classes; bf16 mixed; by launches)");
  const auto text = sentence(found[0]);
  EXPECT_THAT(text, HasSubstr("on synthetic GPU, driver 1.2, cudnn 9.9.9: the fastest policy is \"fastest\" with 1002 ms (median of 10 blocks; A/A band "));
  EXPECT_THAT(text, HasSubstr("bits differ in 7 of 10 repeats (4 distinct)"));
  EXPECT_THAT(text, HasSubstr("no difference run to run costs 1.2"));
  EXPECT_THAT(text, HasSubstr("slower, with policy \"fastest_observed:run_to_run\"."));
  EXPECT_THAT(text, Not(HasSubstr("partition"))) << "a scope that nobody probed has no price";
  ASSERT_EQ(found[0].costs.size(), 3u);
  EXPECT_NEAR(found[0].costs[1].to_fastest->middle, 1.25, 0.01);
  EXPECT_NEAR(found[0].costs[1].to_heuristic->middle, 1.25 / 1.5, 0.01);
  EXPECT_EQ(found[0].costs[1].verdict_to_heuristic, "faster");
  EXPECT_EQ(found[0].costs[0].verdict_to_fastest, "itself");
  EXPECT_THAT(sentence(found[0].costs[1]), HasSubstr("; no difference in 10 repeats, 2 processes, 30 runs under load"));
}

// Another execution is another question: nothing is compared across.
TEST_F(Networks, keepExecutionsApart) {
  add("fastest@steps=3", 1.0, quiet());
  add("fixed_order@steps=3", 1.5, quiet());
  add("fastest@exec=graph,steps=3", 0.5, quiet());
  add("fixed_order@exec=graph,steps=3", 1.0, quiet());
  const auto found = headlines();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0].setting, "by launches");
  EXPECT_THAT(found[1].setting, "as a CUDA graph");
  EXPECT_NEAR(found[0].costs[1].to_fastest->middle, 1.5, 0.01);
  EXPECT_NEAR(found[1].costs[1].to_fastest->middle, 2.0, 0.02);
  EXPECT_THAT(sentence(found[1]), HasSubstr("no difference run to run costs nothing here: the fastest policy showed none"));
}

TEST_F(Networks, areAmbiguousWhereTheIntervalMeetsTheBand) {
  add("fastest@steps=3", 1.0, {scope_row(Scope::load, other, 30, 1, 2)});
  add("fixed_order@steps=3", 1.01, quiet());
  files_[0].comparisons[0].twin_samples = samples(1.05, 2);
  const auto found = headlines();
  EXPECT_EQ(found[0].costs[1].verdict_to_fastest, "within noise") << "inside the band";
  files_[0].comparisons[0].twin_samples.clear();
  EXPECT_EQ(headlines()[0].costs[1].verdict_to_fastest, "ambiguous: no A/A band");
  files_[0].comparisons[0].twin_samples = samples(1.05, 2);
  for (auto& r : files_[0].records)
    for (auto& s : r.timing->samples) s.foreign_load = true;
  EXPECT_THAT(sentence(headlines()[0]), HasSubstr("ambiguous: busy machine"));
}

TEST_F(Networks, sayWhatDidNotRun) {
  auto& refused = add("tf_cudnn_deterministic@steps=3", 1.0, {});
  refused.status = RunStatus::unsupported;
  refused.reason = "no such thing here";
  refused.timing.reset();
  const auto found = headlines();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(sentence(found[0]), HasSubstr("no policy was timed; tf_cudnn_deterministic unsupported."));
  EXPECT_EQ(sentence(found[0].costs[0]), "tf_cudnn_deterministic: unsupported (no such thing here)");
  const auto text = headlines_markdown(found);
  EXPECT_THAT(text, HasSubstr("- **train step of mobilenet_v2 ("));
  const auto table = network_price_table(found);
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0].size(), table.columns.size());
  EXPECT_TRUE(table.rows[0][9].is_null()) << "no time that was not measured";
}

// Two ways of running are two panels; an interval beyond the marks is clipped for the eye and told in full.
TEST_F(Networks, areDrawnAPanelPerWayOfRunning) {
  add("fastest@steps=3", 1.0, {scope_row(Scope::repeat, other, 10, 7, 4)});
  add("fixed_order@steps=3", 1.5, quiet());
  add("fixed_order@exec=graph,steps=3", 1.0, quiet());
  headlines();
  const auto rows = network_rows(views_, 12);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["panel_rank"], rows[1]["panel_rank"]);
  EXPECT_NE(rows[0]["panel"], rows[2]["panel"]);
  EXPECT_EQ(rows[0]["tier"], "differs from run to run");
  EXPECT_GT(rows[0]["tier_rank"], rows[1]["tier_rank"]) << "more agreement stands higher";
  EXPECT_EQ(rows[1]["text"], "fixed_order, 1.5x");
  for (const auto& row : rows) {
    EXPECT_GE(row["drawn_low"], row["low"]);
    EXPECT_LE(row["drawn_high"], row["high"]);
  }
  EXPECT_EQ(network_rows(views_, 1).size(), 2u);
}

TEST_F(Networks, sayThatNoneMetTheDemand) {
  add("fastest@steps=3", 1.0, {scope_row(Scope::repeat, other, 10, 7, 4)});
  add("library_heuristic@steps=3", 1.5, {scope_row(Scope::repeat, other, 10, 1, 2)});
  EXPECT_THAT(sentence(headlines()[0]), HasSubstr("no difference run to run: every timed arm differs."));
}

TEST(Bits, areSaidWithTheirRuns) {
  Record r;
  EXPECT_EQ(bits_in_words(r), "bits not probed");
  r.agreement = {scope_row(Scope::repeat, same, 1), scope_row(Scope::load, other, 30, 12, 3)};
  EXPECT_EQ(bits_in_words(r), "bits differ in 12 of 30 runs under load (3 distinct); no difference in 1 repeat");
  auto untested = scope_row(Scope::process, ScopeVerdict::untested, 2);
  auto already = scope_row(Scope::load, ScopeVerdict::already_differs, 30, 30, 5);
  r.agreement = {scope_row(Scope::repeat, other, 10, 9, 5), untested, already, scope_row(Scope::batch, ScopeVerdict::not_applicable, 0)};
  EXPECT_EQ(bits_in_words(r), "bits differ in 9 of 10 repeats (5 distinct), 30 of 30 runs under load (as in repeat); process untested");
  EXPECT_THAT(bits_in_words(r), Not(HasSubstr("deterministic")));
}

// A configuration is run more than once; it counts once.
TEST(Bits, countConfigurationsAndNotTheirRuns) {
  Record r;
  auto partition = scope_row(Scope::partition, other, 3, 2, 2);
  partition.stages.push_back({.name = "threads=3", .runs = 2, .differing_runs = 0, .distinct = {}, .unavailable = ""});
  partition.stages.push_back({.name = "threads=4", .runs = 2, .differing_runs = 1, .distinct = {}, .unavailable = ""});
  r.agreement = {partition};
  EXPECT_EQ(bits_in_words(r), "bits differ in 2 of 3 partitions (2 distinct)");
}

TEST(Headlines, ofNothingSaySo) { EXPECT_THAT(headlines_markdown({}), HasSubstr("No data")); }

}  // namespace
}  // namespace detbench::analysis::headlines_rows
