#include "bench/catalog/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/catalog/text.hpp"
#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::engine;
using testing::entry;
using testing::problem;
using testing::refused;
using testing::unknown;

std::vector<const Change*> of_kind(const Comparison& c, ChangeKind kind) {
  std::vector<const Change*> found;
  for (const auto& change : c.changes)
    if (change.kind == kind) found.push_back(&change);
  return found;
}

TEST(CatalogCompare, ACatalogDoesNotDifferFromItself) {
  const auto c = testing::catalog({entry(problem(), {engine(0), refused(1), unknown(2), engine(20, {note_nondeterministic})}, {"eng20"}, {"eng0"}, {})});
  const auto same = compare(c, c);
  EXPECT_EQ(same.common, 1U);
  EXPECT_TRUE(same.changes.empty());
  EXPECT_TRUE(same.warnings.empty());
  EXPECT_THAT(format_comparison(same, false), HasSubstr("as many as before"));
  EXPECT_THAT(format_comparison(same, false), HasSubstr("NONDETERMINISTIC: none"));
}

// What a release of June 2026 did: a forward engine became nondeterministic, and was put first for depthwise layers.
TEST(CatalogCompare, AnEngineThatGainsTheNoteComesFirst) {
  std::vector<Entry> before, after;
  for (int channels : {8, 16, 24}) {
    before.push_back(entry(problem("conv_fwd", channels), {engine(5), engine(57)}, {"eng57", "eng5"}, {"eng57"}, {"eng57"}));
    after.push_back(entry(problem("conv_fwd", channels), {engine(5, {note_nondeterministic}), engine(57)}, {"eng5", "eng57"}, {"eng57"}, {"eng57"}));
  }
  const auto c = compare(testing::catalog(before, "9.22.0"), testing::catalog(after, "9.23.1"));
  EXPECT_EQ(c.from, "cuDNN 9.22.0 sm_90");
  EXPECT_EQ(c.to, "cuDNN 9.23.1 sm_90");
  ASSERT_FALSE(c.changes.empty());
  const auto& first = c.changes.front();
  EXPECT_EQ(first.kind, ChangeKind::nondeterminism);
  EXPECT_EQ(first.engine, 5);
  EXPECT_EQ(first.to, note_nondeterministic);
  EXPECT_EQ(first.problems.size(), 3U) << "one change, three problems";
  EXPECT_TRUE(of_kind(c, ChangeKind::notes).empty()) << "the same note is not told twice";
  const auto picks = of_kind(c, ChangeKind::first_pick);
  ASSERT_EQ(picks.size(), 1U);
  EXPECT_EQ(picks[0]->mode, HeuristicMode::a);
  EXPECT_EQ(picks[0]->from, "eng57");
  EXPECT_EQ(picks[0]->to, "eng5");
  const auto& share = c.shares.front();
  EXPECT_EQ(share.mode, HeuristicMode::a);
  EXPECT_EQ(share.from, 0U);
  EXPECT_EQ(share.to, 3U);
  const auto text = format_comparison(c, false);
  EXPECT_THAT(text, HasSubstr("engine 5: not marked to NONDETERMINISTIC in 3 problems"));
  EXPECT_THAT(text, HasSubstr("eng57 to eng5 (3)"));
  EXPECT_THAT(format_comparison(c, true), HasSubstr("| conv_fwd f32 nhwc | A | 3 | 0 to 3 | 0 to 3 |"));
}

TEST(CatalogCompare, EveryKindOfChangeIsTold) {
  auto knobs_before = engine(7), knobs_after = engine(7);
  knobs_before.knobs = {{"TILE_SIZE", 0, 8, 1}};
  knobs_after.knobs = {{"TILE_SIZE", 0, 9, 1}};
  auto crashed = refused(8, "died of signal 11");
  crashed.status = EngineStatus::crashed;
  const auto before = testing::catalog({entry(problem(), {engine(0), engine(1), refused(2), engine(3, {"A"}), engine(4, {}, 100), knobs_before, engine(8)}, {"eng0"}, {}, {}),
                                        entry(problem("conv_dgrad"), {engine(4, {}, 1000)}, {}, {}, {})});
  const auto after = testing::catalog({entry(problem(), {engine(0), refused(1), engine(2, {note_nondeterministic}), engine(3, {"B"}), engine(4, {}, 50), knobs_after, crashed, engine(99)}, {"eng0"}, {}, {}),
                                       entry(problem("conv_wgrad"), {engine(0)}, {}, {}, {})});
  const auto c = compare(before, after);
  EXPECT_EQ(c.common, 1U);
  EXPECT_EQ(c.only_from, 1U);
  EXPECT_EQ(c.only_to, 1U);
  const auto engines = [&](ChangeKind kind) {
    std::vector<std::int64_t> ids;
    for (const auto* change : of_kind(c, kind)) ids.push_back(change->engine.value_or(-1));
    return ids;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(engines(ChangeKind::vanished), (Ids{1}));
  EXPECT_EQ(engines(ChangeKind::appeared), (Ids{2, 99}));
  EXPECT_EQ(engines(ChangeKind::notes), (Ids{3}));
  EXPECT_EQ(engines(ChangeKind::workspace), (Ids{4}));
  EXPECT_EQ(engines(ChangeKind::knobs), (Ids{7}));
  EXPECT_EQ(engines(ChangeKind::failure), (Ids{8}));
  EXPECT_EQ(of_kind(c, ChangeKind::workspace)[0]->from, "100");
  EXPECT_EQ(of_kind(c, ChangeKind::workspace)[0]->to, "50");
  EXPECT_THAT(format_comparison(c, false), HasSubstr("2 ND (1)")) << "an engine that appears with the note is seen to";
  EXPECT_TRUE(std::is_sorted(c.changes.begin(), c.changes.end(), [](const Change& a, const Change& b) { return a.kind < b.kind; }));
  const auto json = to_json(c);
  EXPECT_EQ(json["changes"].size(), c.changes.size());
  EXPECT_EQ(json["problems_only_to"], 1);
  const auto csv = format_comparison_csv({c});
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), static_cast<long>(c.changes.size()) + 1);
}

TEST(CatalogCompare, WorkspaceIsSummedOverTheProblems) {
  std::vector<Entry> before, after;
  for (int channels : {8, 16, 24}) {
    before.push_back(entry(problem("conv_fwd", channels), {engine(4, {}, 1 << 20)}, {}, {}, {}));
    after.push_back(entry(problem("conv_fwd", channels), {engine(4, {}, channels == 24 ? 1 << 20 : 3 << 20)}, {}, {}, {}));
  }
  const auto c = compare(testing::catalog(before), testing::catalog(after));
  const auto changes = of_kind(c, ChangeKind::workspace);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0]->problems.size(), 2U);
  EXPECT_EQ(changes[0]->from, std::to_string(2 << 20));
  EXPECT_EQ(changes[0]->to, std::to_string(6 << 20));
  EXPECT_THAT(format_comparison(c, false), HasSubstr("4 (2, 2.0 to 6.0)"));
}

TEST(CatalogCompare, WithAndWithoutADriverLibraryIsSaidLoudlyAndProvesNothingAboutUnknownEngines) {
  const auto without = testing::catalog({entry(problem(), {engine(0), unknown(5), unknown(71)}, {"eng0"}, {"eng0"}, {"eng0"})});
  auto five = engine(5);
  five.behaviours = {behaviour_runtime_compilation};
  auto refused_there = unknown(71);
  refused_there.status = EngineStatus::unsupported;
  auto with = testing::catalog({entry(problem(), {engine(0), five, refused_there}, {"eng5"}, {"eng0"}, {"eng0"})});
  with.driver = DriverLibrary::present;
  const auto c = compare(without, with);
  ASSERT_FALSE(c.warnings.empty());
  EXPECT_THAT(c.warnings[0], HasSubstr("NOT LIKE WITH LIKE"));
  EXPECT_TRUE(of_kind(c, ChangeKind::appeared).empty());
  EXPECT_TRUE(of_kind(c, ChangeKind::vanished).empty());
  for (bool markdown : {false, true}) EXPECT_THAT(format_comparison(c, markdown), HasSubstr("driver library"));
  // Of one kind, an engine that is new and unknown has appeared.
  const auto more = testing::catalog({entry(problem(), {engine(0), unknown(5), unknown(71), unknown(80)}, {"eng0"}, {"eng0"}, {"eng0"})});
  const auto alike = compare(without, more);
  EXPECT_TRUE(alike.warnings.empty());
  ASSERT_EQ(of_kind(alike, ChangeKind::appeared).size(), 1U);
  EXPECT_EQ(of_kind(alike, ChangeKind::appeared)[0]->engine, 80);
}

TEST(CatalogCompare, OtherUnlikenessIsWarnedOf) {
  const auto a = testing::catalog({entry(problem(), {engine(0)}, {}, {}, {})});
  auto b = a;
  b.arch = "sm_120", b.device = "NVIDIA GeForce RTX 5090", b.cudnn_version = "9.23.1", b.source = "other", b.asked_device = true;
  EXPECT_EQ(compare(a, b).warnings.size(), 3U);
  auto other_gpu = a;
  other_gpu.device = "NVIDIA H100";
  EXPECT_THAT(compare(a, other_gpu).warnings.at(0), HasSubstr("H100"));
}

TEST(CatalogCompare, AFailureIsAChangeAndHidesNoOther) {
  auto a = testing::catalog({entry(problem(), {engine(0)}, {"eng0"}, {}, {}), entry(problem("conv_dgrad"), {engine(0)}, {"eng0"}, {}, {})});
  auto b = a;
  b.entries[0] = Entry{a.entries[0].problem, {}, "the process that asked cuDNN died of signal 11", {}, {}};
  b.entries[1].engines[0].notes = {note_nondeterministic};
  const auto c = compare(a, b);
  ASSERT_EQ(of_kind(c, ChangeKind::failure).size(), 1U);
  EXPECT_THAT(of_kind(c, ChangeKind::failure)[0]->to, HasSubstr("signal 11"));
  EXPECT_EQ(of_kind(c, ChangeKind::nondeterminism).size(), 1U);
  EXPECT_TRUE(of_kind(c, ChangeKind::vanished).empty()) << "what was not asked has not vanished";
}

TEST(CatalogVersions, AreOneRowEach) {
  const auto one = testing::catalog({entry(problem(), {engine(20, {note_nondeterministic})}, {"eng20"}, {}, {})}, "9.12.0");
  const auto two = testing::catalog({entry(problem(), {engine(20)}, {"eng20"}, {}, {})}, "9.19.0");
  const auto table = format_versions({one, two}, true);
  EXPECT_THAT(table, HasSubstr("| 9.12.0 | sm_90 | absent | conv_fwd 20 | f32 1/1 (strict 1) | 0 |\n"));
  EXPECT_THAT(table, HasSubstr("| 9.19.0 | sm_90 | absent | conv_fwd none | f32 0/1 (strict 0) | 0 |\n"));
  EXPECT_THAT(format_versions({one, two}, false), Not(HasSubstr("|")));
}

}  // namespace
}  // namespace detbench::catalog
