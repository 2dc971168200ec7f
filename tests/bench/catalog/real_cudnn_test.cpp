// The real library, without a GPU: a convolution of each kind on three architectures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "bench/catalog/survey.hpp"
#include "bench/catalog/tally.hpp"
#include "bench/records/json_text.hpp"
#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

using Ids = std::vector<std::int64_t>;

const std::map<std::string, std::string> shapes{
    {"dense", "mb32_g1_ic64_ih56_iw56_oc64_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1"},
    {"depthwise", "mb32_g144_ic144_ih56_iw56_oc144_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1"},
    {"pointwise", "mb32_g1_ic96_ih14_iw14_oc576_kh1_kw1_sh1_sw1_pt0_pb0_pl0_pr0_dh1_dw1"},
};

class RealCudnn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::vector<Entry> entries;
    for (const auto& [kind, shape] : shapes)
      for (const char* types : {"f32_f32_tf32", "f16_f32_strict", "bf16_f32_strict"})
        for (const char* op : {"conv_fwd", "conv_dgrad", "conv_wgrad"}) entries.push_back({{op, shape, types, "nhwc"}, {"net:" + kind}, "", {}, {}});
    IsolationSettings settings;
    settings.jobs = 2;
    auto asked = survey(std::move(entries), GetParam(), "one of each kind", settings);
    if (!asked && asked.error().kind == Reason::Kind::unsupported) GTEST_SKIP() << asked.error().text;
    ASSERT_TRUE(asked) << asked.error().text;
    catalog_ = std::move(asked->catalog);
  }
  const Entry& entry(const std::string& kind, const std::string& op, const std::string& types) const {
    return *std::find_if(catalog_.entries.begin(), catalog_.entries.end(),
                         [&](const Entry& e) { return e.problem == Problem{op, shapes.at(kind), types, "nhwc"}; });
  }
  /// Engines compiled at run time are unknown where there is no driver's library, never unsupported.
  void expect_unknown_without_driver() const {
    if (catalog_.driver == DriverLibrary::present) return;
    std::size_t compiled = 0;
    for (const auto& e : catalog_.entries)
      for (const auto& engine : e.engines) {
        if (!engine.compiles_at_run_time()) continue;
        ++compiled;
        EXPECT_EQ(engine.status, EngineStatus::unknown) << problem_id(e.problem) << " engine " << engine.id;
        for (const auto& ranking : e.rankings)
          for (const auto& pick : ranking.picks) EXPECT_NE(engine_of(pick), engine.id);
      }
    EXPECT_GT(compiled, 0U);
  }
  /// Knobs, default workspace and fallback lists of 9.19 on sm_90.
  void expect_figures_of_the_dense_case() const {
    const auto& wgrad = *entry("dense", "conv_wgrad", "f16_f32_strict").find_engine(20);
    EXPECT_EQ(wgrad.notes, (std::vector<std::string>{"REDUCED_PRECISION_REDUCTION", "NONDETERMINISTIC"}));
    EXPECT_EQ(wgrad.knobs, (std::vector<Knob>{{"TILE_SIZE", 0, 8, 1}, {"USE_TEX", 0, 1, 1}}));
    EXPECT_EQ(wgrad.workspace_bytes, 0U);
    EXPECT_EQ(entry("dense", "conv_dgrad", "f16_f32_strict").find_engine(25)->workspace_bytes, 25'763'856U);
    EXPECT_EQ(entry("dense", "conv_fwd", "f16_f32_strict").find_engine(2)->workspace_bytes, 128'524'304U);
    if (catalog_.driver == DriverLibrary::present) return;
    const auto fallback = [&](const char* op) {
      Ids ids;
      for (const auto& pick : entry("dense", op, "f16_f32_strict").find_ranking(HeuristicMode::fallback)->picks) ids.push_back(*engine_of(pick));
      return ids;
    };
    EXPECT_EQ(fallback("conv_fwd"), (Ids{1, 28, 0}));
    EXPECT_EQ(fallback("conv_dgrad"), (Ids{1, 25, 0}));
    EXPECT_EQ(fallback("conv_wgrad"), (Ids{1, 20, 0}));
  }
  bool is_9_19() const { return catalog_.cudnn_version.rfind("9.19.", 0) == 0; }
  Catalog catalog_;
};

TEST_P(RealCudnn, AnswersEveryProblemInFullAndGoesThroughJson) {
  EXPECT_EQ(catalog_.arch, GetParam());
  EXPECT_FALSE(catalog_.device.empty());
  EXPECT_FALSE(catalog_.asked_device);
  for (const auto& e : catalog_.entries) {
    ASSERT_TRUE(e.failure.empty()) << problem_id(e.problem) << ": " << e.failure;
    ASSERT_GT(e.engines.size(), 60U);
    ASSERT_EQ(e.rankings.size(), 3U);
    std::size_t valid = 0;
    for (std::size_t i = 0; i < e.engines.size(); ++i) {
      const auto& engine = e.engines[i];
      EXPECT_EQ(engine.id, static_cast<std::int64_t>(i)) << "every id of the graph, in order";
      EXPECT_NE(engine.status, EngineStatus::crashed) << engine.reason;
      EXPECT_TRUE(engine.status == EngineStatus::valid || !engine.reason.empty()) << "a reason for every no";
      if (engine.status == EngineStatus::valid) ++valid;
      if (!engine.finalizes) {
        EXPECT_TRUE(engine.notes.empty() && engine.knobs.empty());
      }
      for (const auto& knob : engine.knobs) {
        EXPECT_LE(knob.minimum, knob.maximum) << knob.name;
        EXPECT_GE(knob.stride, 1);
      }
    }
    EXPECT_GE(valid, 5U) << problem_id(e.problem);
    for (const auto& ranking : e.rankings)
      for (const auto& pick : ranking.picks) {
        const auto* engine = e.find_engine(*engine_of(pick));
        ASSERT_NE(engine, nullptr) << pick;
        EXPECT_EQ(engine->status, EngineStatus::valid) << pick << ": the heuristics propose what the library then refuses: " << engine->reason;
      }
    EXPECT_FALSE(e.find_ranking(HeuristicMode::fallback)->picks.empty()) << problem_id(e.problem);
  }
  expect_unknown_without_driver();
  const auto read = read_catalog(*parse_json(format_json(catalog_), "text"));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(to_json(*read), to_json(catalog_));
}

TEST_P(RealCudnn, NotesAndFiguresAreThoseOf919) {
  if (!is_9_19()) GTEST_SKIP() << "the table is of cuDNN 9.19, this is " << catalog_.cudnn_version;
  for (const auto& e : catalog_.entries) {
    Ids marked;
    for (const auto& engine : e.engines)
      if (engine.has_note(note_nondeterministic)) marked.push_back(engine.id);
    const Ids expected = e.problem.op == "conv_dgrad" ? Ids{25} : e.problem.op == "conv_wgrad" ? Ids{20} : Ids{};
    EXPECT_EQ(marked, expected) << problem_id(e.problem);
    for (const auto id : expected) EXPECT_EQ(e.find_engine(id)->status, EngineStatus::valid);
  }
  for (const auto& t : tally(catalog_)) EXPECT_EQ(t.nondeterministic_engines.size(), t.op == "conv_fwd" ? 0U : 1U);
  if (catalog_.arch == "sm_90") expect_figures_of_the_dense_case();
}

INSTANTIATE_TEST_SUITE_P(Architectures, RealCudnn, ::testing::Values("sm_90", "sm_80", "sm_120"), [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace detbench::catalog
