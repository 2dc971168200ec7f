#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/catalog/tally.hpp"
#include "bench/catalog/text.hpp"
#include "bench/records/json_text.hpp"
#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

using ::testing::HasSubstr;
using testing::engine;
using testing::problem;
using testing::refused;
using testing::unknown;

Catalog full() {
  auto knobbed = engine(20, {note_nondeterministic, "REDUCED_PRECISION_REDUCTION"}, std::uint64_t{1} << 40);
  knobbed.knobs = {{"TILE_SIZE", 0, 8, 1}, {"KERNEL_CFG", -1, 40, 2}};
  knobbed.behaviours = {"CUBLASLT_DEPENDENCY"};
  auto crashed = refused(4, "died of signal 11 (Segmentation fault)");
  crashed.status = EngineStatus::crashed;
  auto only_with_knobs = engine(6, {}, std::nullopt);
  only_with_knobs.reason = "only with knobs: \"quoted\", and a comma";
  auto first = testing::entry(problem(), {engine(0), refused(1), refused(2), refused(3, "ARCH_MISMATCH (3007)"), crashed, unknown(5), only_with_knobs, knobbed},
                              {"eng20[TILE_SIZE=3]", "eng0", "eng6[USE_TEX=0]"}, {"eng0"}, {});
  first.rankings[2].reason = "no answer within 5 s";
  Entry failed;
  failed.problem = problem("conv_wgrad");
  failed.failure = "the process that asked cuDNN died of signal 11 (Segmentation fault)";
  auto c = testing::catalog({first, failed});
  c.driver = DriverLibrary::present;
  c.asked_device = true;
  return c;
}

TEST(CatalogJson, GoesOutAndComesBack) {
  const auto c = full();
  const auto read = read_catalog(*parse_json(format_json(c), "text"));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(to_json(*read), to_json(c));
  EXPECT_EQ(read->cudnn_version, "9.19.0");
  EXPECT_EQ(read->arch, "sm_90");
  EXPECT_EQ(read->driver, DriverLibrary::present);
  EXPECT_TRUE(read->asked_device);
  EXPECT_DOUBLE_EQ(read->elapsed_s, 1.5);
  ASSERT_EQ(read->entries.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->entries[i].problem, c.entries[i].problem);
    EXPECT_EQ(read->entries[i].used_by, c.entries[i].used_by);
    EXPECT_EQ(read->entries[i].failure, c.entries[i].failure);
    EXPECT_EQ(read->entries[i].engines, c.entries[i].engines);
    EXPECT_EQ(read->entries[i].rankings, c.entries[i].rankings);
  }
  EXPECT_EQ(format_json(*read), format_json(c));
}

TEST(CatalogJson, IsReadFromAFileToo) {
  testing::Folder folder;
  folder.write("a.json", format_json(full()));
  const auto read = read_catalog_file(folder.at("a.json"));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->entries.size(), 2U);
}

TEST(CatalogJson, DamageIsRefusedInOneLineThatNamesIt) {
  testing::Folder folder;
  const auto good = to_json(full());
  const auto refuses = [&](const std::string& text, const std::string& mention) {
    folder.write("x.json", text);
    const auto read = read_catalog_file(folder.at("x.json"));
    ASSERT_FALSE(read) << text.substr(0, 200);
    EXPECT_EQ(read.error().kind, Reason::Kind::invalid_input) << read.error().text;
    EXPECT_THAT(read.error().text, HasSubstr(mention));
    EXPECT_THAT(read.error().text, HasSubstr("x.json"));
    EXPECT_EQ(read.error().text.find('\n'), std::string::npos);
  };
  refuses("", "empty");
  refuses("[1, 2]", "object");
  refuses(format_json(full()).substr(0, 900), "JSON");
  const auto changed = [&](auto change) {
    Json json = good;
    change(json);
    return json.dump();
  };
  refuses(changed([](Json& j) { j["schema"] = "detbench-result"; }), "schema");
  refuses(changed([](Json& j) { j["schema_version"] = 2; }), "schema_version");
  refuses(changed([](Json& j) { j.erase("driver_library"); }), "driver_library");
  refuses(changed([](Json& j) { j["driver_library"] = "perhaps"; }), "present, absent");
  refuses(changed([](Json& j) { j["target"] = 3; }), "target");
  refuses(changed([](Json& j) { j["problems"] = Json::object(); }), "problems");
  refuses(changed([](Json& j) { j["problems"][0]["problem"] = "conv_fwd/x"; }), "problems[0].problem");
  refuses(changed([](Json& j) { j["problems"][0]["engines"][0]["id"] = -1.5; }), "problems[0].engines[0].id");
  refuses(changed([](Json& j) { j["problems"][0]["engines"][0]["status"] = "fine"; }), "valid, unsupported, unknown, crashed");
  refuses(changed([](Json& j) { j["problems"][0]["engines"][0]["workspace_bytes"] = -1; }), "workspace_bytes");
  refuses(changed([](Json& j) { j["problems"][0]["engines"].push_back(j["problems"][0]["engines"][0]); }), "twice");
  refuses(changed([](Json& j) { j["problems"][0]["refused"][0]["engines"] = {1, "two"}; }), "engine ids");
  refuses(changed([](Json& j) { j["problems"][0]["heuristics"][0]["mode"] = "C"; }), "A, B, FALLBACK");
  refuses(changed([](Json& j) { j["problems"][0]["heuristics"][0]["picks"][0] = "engine 20"; }), "eng20[TILE_SIZE=3]");
}

TEST(CatalogJson, APickNamesItsEngine) {
  EXPECT_EQ(engine_of("eng0"), 0);
  EXPECT_EQ(engine_of("eng20[TILE_SIZE=3]"), 20);
  for (const char* wrong : {"", "eng", "20", "eng-1", "eng2x", "eng20 [A=1]", "eng99999999999999999999"}) EXPECT_FALSE(engine_of(wrong)) << wrong;
}

TEST(CatalogTally, CountsFirstPicksWithAndWithoutTensorCores) {
  const auto tensor = engine(67, {note_tensor_core});
  const auto down = engine(62, {note_tensor_core, note_down_convert});
  const auto nd = engine(20, {note_nondeterministic});
  auto compiled = engine(5);
  compiled.behaviours = {behaviour_runtime_compilation};
  const auto c = testing::catalog({
      testing::entry(problem("conv_fwd", 8), {engine(0), tensor, down, nd}, {"eng67[A=1]", "eng62", "eng20", "eng0"}, {"eng0"}, {"eng20"}),
      testing::entry(problem("conv_fwd", 16), {engine(0), tensor, nd, compiled, unknown(9), refused(10)}, {"eng20", "eng0"}, {"eng5", "eng67[A=1]"}, {"eng0"}),
      testing::entry(problem("conv_fwd", 24), {tensor}, {"eng67[A=1]", "eng67[A=2]"}, {}, {"eng67[A=1]"}),
      testing::entry(problem("conv_wgrad", 8), {engine(1)}, {"eng1"}, {"eng1"}, {"eng1"}),
  });
  const auto tallies = tally(c);
  ASSERT_EQ(tallies.size(), 2U);
  const auto& t = tallies[0];
  EXPECT_EQ(t.op, "conv_fwd");
  EXPECT_EQ(t.problems, 3U);
  EXPECT_EQ(t.layers, 6U);
  EXPECT_EQ(t.finalized, 4U + 5 + 1);
  EXPECT_EQ(t.valid, 4U + 4 + 1);
  EXPECT_EQ(t.unknown, 1U);
  EXPECT_EQ(t.configurations, 4U + 4 + 2) << "distinct over the modes of a problem";
  EXPECT_EQ(t.nondeterministic_engines, std::vector<std::int64_t>{20});
  const auto& a = t.mode(HeuristicMode::a);
  EXPECT_EQ(a.nondeterministic, 1U);
  EXPECT_EQ(a.layers_nondeterministic, 2U);
  EXPECT_EQ(a.nondeterministic_strict, 2U) << "dropping 67 and 62 leaves 20 first";
  EXPECT_EQ(a.empty_strict, 1U) << "nothing but tensor cores";
  EXPECT_EQ(a.tops, (std::map<std::int64_t, std::size_t>{{67, 2}, {20, 1}}));
  EXPECT_EQ(t.mode(HeuristicMode::b).runtime_compiled, 1U);
  EXPECT_EQ(t.mode(HeuristicMode::b).empty, 1U);
  EXPECT_EQ(t.mode(HeuristicMode::fallback).nondeterministic, 1U);
  EXPECT_EQ(tallies[1].mode(HeuristicMode::a).nondeterministic, 0U);
}

TEST(CatalogTally, AFailedProblemCountsAsFailedAndNothingElse) {
  const auto tallies = tally(full());
  ASSERT_EQ(tallies.size(), 2U);
  EXPECT_EQ(tallies[1].failed, 1U);
  EXPECT_EQ(tallies[1].answered(), 0U);
  EXPECT_EQ(tallies[1].mean(0), 0) << "no division by nothing";
}

/// Fields of RFC 4180 text, written apart from the writer.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows{{""}};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') rows.back().back() += c;
      else if (i + 1 < text.size() && text[i + 1] == '"') rows.back().back() += text[++i];
      else quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\n') {
      rows.push_back({""});
    } else if (c != '\r') {
      rows.back().back() += c;
    }
  }
  rows.pop_back();
  return rows;
}

TEST(CatalogCsv, HasARowPerEngineAndQuotesWhatNeedsIt) {
  const auto c = full();
  const auto rows = parse_csv(format_csv(c));
  ASSERT_EQ(rows.size(), 1 + c.entries[0].engines.size() + 1);
  for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size());
  const auto column = [&](const std::string& name) { return static_cast<std::size_t>(std::find(rows[0].begin(), rows[0].end(), name) - rows[0].begin()); };
  const auto& knobs_only = rows[7];
  EXPECT_EQ(knobs_only[column("engine")], "6");
  EXPECT_EQ(knobs_only[column("reason")], "only with knobs: \"quoted\", and a comma");
  EXPECT_EQ(knobs_only[column("rank_a")], "3");
  EXPECT_EQ(knobs_only[column("workspace_bytes")], "");
  const auto& marked = rows[8];
  EXPECT_EQ(marked[column("notes")], "NONDETERMINISTIC REDUCED_PRECISION_REDUCTION");
  EXPECT_EQ(marked[column("knobs")], "TILE_SIZE 0..8; KERNEL_CFG -1..40 by 2");
  EXPECT_EQ(marked[column("workspace_bytes")], "1099511627776");
  EXPECT_EQ(marked[column("rank_a")], "1");
  EXPECT_EQ(rows.back()[column("status")], "failed");
  EXPECT_EQ(csv_field("a\"b\r\n"), "\"a\"\"b\r\n\"");
  EXPECT_EQ(csv_field("plain text"), "plain text");
}

TEST(CatalogText, SaysWhatIsUnknownAndWhatFailed) {
  auto c = full();
  c.driver = DriverLibrary::absent;
  const auto text = format_summary(c);
  EXPECT_THAT(text, HasSubstr("driver library absent"));
  EXPECT_THAT(text, HasSubstr("cannot be told without the driver's library libcuda.so.1"));
  EXPECT_THAT(text, HasSubstr("failed conv_wgrad/"));
  EXPECT_THAT(text, HasSubstr("engine 4: died of signal 11"));
  EXPECT_THAT(text, HasSubstr("conv_fwd 20;"));
  const auto detail = format_entry(c.entries[0]);
  EXPECT_THAT(detail, HasSubstr("unsupported (NOT_SUPPORTED (3000)): 1 2\n"));
  EXPECT_THAT(detail, HasSubstr("FALLBACK: none: no answer within 5 s"));
  EXPECT_EQ(format_ids({0, 1, 2, 5, 7, 8}), "0-2 5 7 8");
  EXPECT_EQ(format_ids({}), "none");
}

}  // namespace
}  // namespace detbench::catalog
