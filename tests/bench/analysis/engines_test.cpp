// Engines: what belongs to one, what is counted, and what forbidding the marked ones costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "bench/analysis/engines.hpp"
#include "tests/bench/analysis/scope_rows.hpp"

namespace detbench::analysis::engines_rows {
namespace {

using scope_rows::other, scope_rows::same, scope_rows::scope_row;

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const Claim promise{Guarantee::run_to_run, "synthetic document", {Scope::repeat, Scope::load}};
const Claim warning{Guarantee::not_guaranteed, "synthetic note", {}};

Record record(const std::string& algorithm, const Claim& claim, double seconds, std::vector<ScopeResult> agreement = {}) {
  Record r;
  r.id = "conv_wgrad/n1/f32_f32_strict/nhwc/" + algorithm;
  r.replay = "detbench run " + r.id;
  r.status = RunStatus::ok;
  r.claim = claim;
  r.agreement = std::move(agreement);
  if (seconds <= 0) return r;
  r.timing.emplace();
  for (std::uint32_t b = 0; b < 20; ++b) {
    Sample s;
    s.block = b;
    s.elapsed_s = seconds * (1 + 0.001 * (b % 5));
    r.timing->samples.push_back(s);
  }
  return r;
}

std::vector<ResultFile> one_file(std::vector<Record> records) {
  ResultFile file;
  file.manifest = {{"libraries", {{"cudnn", "9.9.9"}, {"cublas", "13.0"}}}};
  file.detbench_version = "0.0";
  ComparisonInfo info;
  info.problem = "conv_wgrad/n1/f32_f32_strict/nhwc";
  info.blocks = 20;
  info.schedule_seed = 7;
  info.used_by = {"net:a", "net:b"};
  file.comparisons = {info};
  file.records = std::move(records);
  return {std::move(file)};
}

TEST(Engines, areNamedWithoutKnobsOptionsAndPads) {
  EXPECT_EQ(engine_of("cudnn_graph:eng20[TILE_SIZE=3;USE_TEX=0]@ws=256MiB"), "eng20");
  EXPECT_EQ(engine_of("cudnn_graph:pad+eng20"), "eng20");
  EXPECT_EQ(engine_of("cudnn_graph:sym+eng1[SPLIT_K=2]"), "eng1");
  EXPECT_EQ(engine_of("cudnn_legacy:pad+implicit_gemm@math=fma"), "implicit_gemm");
  EXPECT_EQ(engine_of("cudnn_graph:relu6_mask+eng0[OCCUPANCY=1]"), "eng0");
  EXPECT_EQ(engine_of("cudnn_graph:swish_slope+eng0"), "eng0");
  EXPECT_EQ(engine_of("cudnn_graph:eng0[OCCUPANCY=1]+clip"), "eng0");
  EXPECT_EQ(engine_of("cudnn_legacy:ex:spatial_persistent+clipped_relu"), "ex:spatial_persistent");
  EXPECT_EQ(engine_of("cublaslt:algo21[TILE_ID=20;SPLITK=4;SCHEME=INPLACE]@bytes=1:2"), "algo21");
  EXPECT_EQ(engine_of("onednn:jit_1x1:avx512_core@formats=any"), "jit_1x1:avx512_core");
  EXPECT_THAT(knobs_of("cudnn_graph:eng20[TILE_SIZE=3;USE_TEX=0]@a=b"), ElementsAre(Pair("TILE_SIZE", "3"), Pair("USE_TEX", "0")));
  EXPECT_THAT(knobs_of("cudnn_graph:eng20"), IsEmpty());
}

TEST(Engines, knowWhichKnobsSplitASum) {
  for (const auto& [knob, value] : std::vector<std::pair<const char*, const char*>>{
           {"SPLIT_K", "2"}, {"SPLIT_K_BUF", "4"}, {"SPLIT_K_SLC", "2"}, {"SPLITK", "3"}, {"REDUCTION_MODE", "0"}, {"SCHEME", "INPLACE"}, {"STREAM_K", "1"}})
    EXPECT_TRUE(splits_a_sum(knob, value)) << knob;
  for (const auto& [knob, value] : std::vector<std::pair<const char*, const char*>>{{"SPLIT_K", "1"}, {"SPLIT_K", "0"}, {"STREAM_K", "0"}, {"TILE_SIZE", "3"}, {"SPLIT_COLS", "2"}})
    EXPECT_FALSE(splits_a_sum(knob, value)) << knob;
}

TEST(Engines, countWhatWasTriedAndWhatDiffered) {
  auto refused = record("cudnn_graph:eng20[SPLIT_K=8]", warning, 0);
  refused.status = RunStatus::unsupported;
  auto wrong = record("cudnn_graph:eng20[SPLIT_K=16]", warning, 0, {scope_row(Scope::load, other, 100, 100, 50)});
  wrong.status = RunStatus::incorrect;
  const auto files = one_file({
      record("cudnn_graph:eng20", warning, 1.0, {scope_row(Scope::repeat, same, 100), scope_row(Scope::load, other, 300, 3, 2)}),
      record("cudnn_graph:eng20[SPLIT_K=4]", warning, 2.0, {scope_row(Scope::repeat, other, 100, 7, 3), scope_row(Scope::load, other, 300, 30, 9)}),
      record("cudnn_graph:eng20[SPLIT_K=1]", warning, 3.0, {scope_row(Scope::repeat, same, 100), scope_row(Scope::load, same, 300)}),
      refused, wrong,
      record("cudnn_graph:eng5", promise, 1.5, {scope_row(Scope::repeat, same, 100)}),
  });
  const auto views = view_comparisons(files);
  const auto rows = engine_rows(views);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].engine, "eng5") << "by number, not by letter";
  EXPECT_EQ(rows[0].claim, "claims run_to_run");
  EXPECT_EQ(rows[0].load.words(), "") << "not probed";
  const auto& r = rows[1];
  EXPECT_EQ(r.engine, "eng20");
  EXPECT_EQ(r.library, "cudnn 9.9.9");
  EXPECT_EQ(r.arms, 5u);
  EXPECT_EQ(r.with_knobs, 4u);
  EXPECT_EQ(r.ok, 3u);
  EXPECT_EQ(r.unsupported, 1u);
  EXPECT_EQ(r.incorrect, 1u);
  EXPECT_EQ(r.claim, "called nondeterministic");
  EXPECT_EQ(r.repeat.words(), "1 of 3 arms; worst 7 of 100 runs, 3 distinct");
  EXPECT_EQ(r.load.words(), "2 of 3 arms; worst 30 of 300 runs, 9 distinct") << "bits of a wrong answer mean nothing";
  EXPECT_EQ(r.split_load.words(), "1 of 1 arm; worst 30 of 300 runs, 9 distinct");
  EXPECT_EQ(r.split_knobs, "SPLIT_K=4");
  ASSERT_TRUE(r.best);
  EXPECT_EQ(r.best->algorithm, "cudnn_graph:eng20");
  const auto table = engine_table(rows);
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
}

TEST(Engines, rowsInWhichNoOrderCanShowAreNoTest) {
  auto blind = record("cudnn_graph:eng5", promise, 1.0, {scope_row(Scope::load, same, 300)});
  blind.notes["cannot_show"] = "two partials";
  const auto files = one_file({blind});
  EXPECT_EQ(engine_rows(view_comparisons(files)).at(0).load.tested, 0u);
}

TEST(Forbidding, costsWithinTheLibraryWhoseEngineIsMarked) {
  const auto files = one_file({record("cudnn_graph:eng20", warning, 1.0), record("cudnn_graph:eng5", promise, 1.5), record("cudnn_legacy:algo_1@math=fma", promise, 1.3),
                               record("fixed_order:chunked64", promise, 1.1), record("cublas:default", promise, 0.5)});
  const auto views = view_comparisons(files);
  const auto table = forbidding_table(views);
  ASSERT_EQ(table.rows.size(), 1u) << "of the other libraries nothing is marked";
  std::map<std::string, Json> row;
  for (std::size_t i = 0; i < table.columns.size(); ++i) row[table.columns[i]] = table.rows[0].at(i);
  EXPECT_EQ(row["library"], "cudnn 9.9.9");
  EXPECT_EQ(row["layers"], 2);
  EXPECT_EQ(row["fastest of the library"], "cudnn_graph:eng20");
  EXPECT_EQ(row["fastest that is not called nondeterministic"], "cudnn_legacy:algo_1@math=fma");
  EXPECT_NEAR(row["price"].get<double>(), 1.3, 1e-6);
  EXPECT_EQ(row["verdict"], "ambiguous") << "without a band nothing is slower";
}

TEST(Forbidding, isFreeWhereTheFastestIsNotMarkedAndSaysWhereNothingElseRan) {
  auto files = one_file({record("cudnn_graph:eng20", warning, 2.0), record("cudnn_graph:eng5", promise, 1.0)});
  auto table = forbidding_table(view_comparisons(files));
  EXPECT_EQ(table.rows.at(0)[15], "free");
  EXPECT_EQ(table.rows.at(0)[10], 1.0);
  files = one_file({record("cudnn_graph:eng20", warning, 2.0)});
  table = forbidding_table(view_comparisons(files));
  EXPECT_EQ(table.rows.at(0)[15], "no other arm was timed");
  EXPECT_TRUE(table.rows.at(0)[10].is_null());
}

}  // namespace
}  // namespace detbench::analysis::engines_rows
