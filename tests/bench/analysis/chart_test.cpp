#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/charts.hpp"
#include "bench/analysis/findings.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/tables.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench::analysis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Every field that a specification draws from, wherever it stands.
void collect_fields(const Json& json, std::set<std::string>& fields) {
  if (json.is_object())
    for (const auto& [key, value] : json.items()) {
      if (key == "datasets" || key == "transform") continue;
      if (key == "field" && value.is_string()) fields.insert(value.get<std::string>());
      collect_fields(value, fields);
    }
  if (json.is_array())
    for (const auto& value : json) collect_fields(value, fields);
}

TEST(Charts, everyFieldOfASpecificationIsInItsRows) {
  std::vector<ResultFile> files{synthetic::make({.contention = true})};
  const auto charts = make_charts(files, view_comparisons(files));
  ASSERT_TRUE(charts) << charts.error().text;
  EXPECT_EQ(charts->size(), 12u);
  for (const auto& chart : *charts) {
    ASSERT_TRUE(chart.has_data) << chart.name;
    std::set<std::string> fields, known{"low", "high", "from", "until", "even", "words"};  // made by transforms
    collect_fields(chart.spec, fields);
    for (const auto& [name, rows] : chart.spec["datasets"].items())
      for (const auto& row : rows)
        for (const auto& [key, value] : row.items()) known.insert(key);
    for (const auto& field : fields) EXPECT_TRUE(known.contains(field)) << chart.name << " draws " << field;
  }
}

TEST(Charts, everyChartNamesMachineLibrariesDateProfileAndN) {
  std::vector<ResultFile> files{synthetic::make({.machine = "synthetic one"}),
                                synthetic::make({.machine = "synthetic two"})};
  const auto charts = make_charts(files, view_comparisons(files));
  ASSERT_TRUE(charts);
  for (const auto& chart : *charts) {
    std::string subtitle;
    for (const auto& line : chart.spec["title"]["subtitle"]) subtitle += line.get<std::string>() + " ";
    for (const char* part : {"synthetic one", "synthetic two", "onednn 0.0", "2000-01-01", "profile synthetic",
                             "n = 10 repeat", "2 process"})
      EXPECT_THAT(subtitle, HasSubstr(part)) << chart.name;
  }
}

TEST(Charts, withoutDataTheySaySo) {
  std::vector<ResultFile> files{synthetic::make({.layers = 0, .reductions = false, .train_step = false})};
  files[0].complete = false;
  const auto charts = make_charts(files, view_comparisons(files));
  ASSERT_TRUE(charts);
  for (const auto& chart : *charts) {
    EXPECT_FALSE(chart.has_data);
    EXPECT_THAT(chart.spec.dump(), HasSubstr("No data: "));
    EXPECT_THAT(chart.spec.dump(), HasSubstr("INTERRUPTED"));
  }
}

TEST(Charts, specificationsHoldNoUrlAndNoData) {
  std::vector<ResultFile> files{synthetic::make({.contention = true})};
  const auto charts = make_charts(files, view_comparisons(files));
  ASSERT_TRUE(charts);
  for (const auto& chart : *charts) {
    auto bare = chart.spec;
    bare.erase("datasets");
    bare.erase("$schema");
    EXPECT_THAT(bare.dump(), Not(HasSubstr("http"))) << chart.name;
    EXPECT_THAT(bare.dump(), Not(HasSubstr("\"values\":[{"))) << chart.name;
  }
}

TEST(Charts, theSameFilesGiveTheSameBytes) {
  std::vector<ResultFile> files{synthetic::make({})};
  const auto a = make_charts(files, view_comparisons(files)), b = make_charts(files, view_comparisons(files));
  for (std::size_t i = 0; i < a->size(); ++i) EXPECT_EQ((*a)[i].spec.dump(), (*b)[i].spec.dump());
}

TEST(ChartData, throughputIsBytesOverTheReportedTime) {
  std::vector<ResultFile> files{synthetic::make({.noise = 0})};
  const auto rows = reduction_rows(view_comparisons(files));
  ASSERT_EQ(rows.size(), 12u);
  for (const auto& row : rows) {
    if (row["algorithm"] == "fixed_order:tree") {
      EXPECT_NEAR(row["gb_per_s"].get<double>(), 10, 1e-9);
      EXPECT_EQ(row["distinct"], 1);
      EXPECT_EQ(row["runs"], 22);
    }
    if (row["algorithm"] == "openmp:atomic") {
      EXPECT_EQ(row["distinct"], 9);
      EXPECT_EQ(row["tier"], "differs from run to run");
      EXPECT_EQ(row["rank"], 5);
    }
  }
}

TEST(ChartData, theMatrixCountsProblems) {
  std::vector<ResultFile> files{synthetic::make({.layers = 7, .arms = 4, .oddities = false})};
  int cells = 0;
  for (const auto& row : verdict_rows(view_comparisons(files))) {
    if (row["panel"] != "conv_fwd" || row["scope"] != "partition") continue;
    ++cells;
    const bool even = row["algorithm"] == "onednn:jit_avx2" || row["algorithm"] == "fixed_order:gkrsc";
    EXPECT_EQ(row["text"], even ? "7/7" : "0/7") << row.dump();
    EXPECT_EQ(row["broken"], row["algorithm"] == "fixed_order:gkrsc");
  }
  EXPECT_EQ(cells, 4);
}

TEST(ChartData, extraTimeOfLayersAddsUpToThatOfTheStep) {
  std::vector<ResultFile> files{synthetic::make({.layers = 8})};
  const auto rows = layer_rows(view_comparisons(files), 100);
  std::map<std::string, double> extra;
  for (const auto& row : rows) extra[row["policy"].get<std::string>()] += row["extra_ms"].get<double>();
  const TrainStepFacts *base = nullptr, *fixed = nullptr;
  for (const auto& r : files[0].records) {
    if (r.id.ends_with("network:fastest")) base = &*r.train_step;
    if (r.id.ends_with("network:fixed_order")) fixed = &*r.train_step;
  }
  EXPECT_EQ(extra.size(), 3u);
  EXPECT_NEAR(extra["fixed_order"], (fixed->op_s - base->op_s) * 1e3, 1e-9);
  std::set<std::string> layers;
  for (const auto& row : layer_rows(view_comparisons(files), 3)) layers.insert(row["layer"].get<std::string>());
  EXPECT_EQ(layers.size(), 3u);
}

TEST(ChartData, imagesPerSecondFollowFromThePublishedTime) {
  std::vector<ResultFile> files{synthetic::make({.noise = 0})};
  for (const auto& row : policy_rows(view_comparisons(files)))
    if (row["policy"] == "fixed_order") {
      EXPECT_NEAR(row["images_per_s"].get<double>(), 8 / 0.180, 1e-9);
      EXPECT_NEAR(row["ratio"].get<double>(), 1.8, 1e-9);
    }
}

TEST(ChartData, policiesAreNamedWithoutProviderAndSteps) {
  ArmView arm;
  for (const auto& [algorithm, name] : {std::pair{"network:fastest@steps=3", "fastest"},
                                        {"policy:fastest_observed:partition", "fastest_observed:partition"},
                                        {"network:budget:5@batch=8,steps=3,threads=2", "budget:5@batch=8,threads=2"}}) {
    arm.algorithm = algorithm;
    EXPECT_EQ(policy_name(arm), name);
  }
}

// On a noisy machine the band is wider than the marks: it is drawn clipped, and reported whole.
TEST(ChartData, aWideBandDoesNotSqueezeTheMarks) {
  std::vector<ResultFile> files{synthetic::make({.layers = 3, .noise = 0.9})};
  const auto views = view_comparisons(files);
  for (const auto& rows : {tradeoff_rows(views, 12), price_rows(views)})
    for (const auto& row : rows) {
      if (row["drawn_low"].is_null()) continue;
      EXPECT_GE(row["drawn_low"].get<double>(), row["band_low"].get<double>());
      EXPECT_LE(row["drawn_high"].get<double>(), row["band_high"].get<double>());
    }
}

TEST(Tables, csvQuotesAndKeepsDigitsMarkdownEscapes) {
  Table table{"t", "T", {"a", "b,c"}, {{"x|y\nz", 1.0 / 3}, {"say \"hi\", you", nullptr}}};
  EXPECT_EQ(to_csv(table), "a,\"b,c\"\n\"x|y\nz\",0.3333333333333333\n\"say \"\"hi\"\", you\",\n");
  EXPECT_EQ(to_markdown(table), "# T\n\n| a | b,c |\n| --- | --- |\n| x\\|y z | 0.3333 |\n| say \"hi\", you |  |\n");
  table.rows.clear();
  EXPECT_EQ(to_markdown(table), "# T\n\nNo data.\n");
}

TEST(Tables, everyRowHasACellPerColumnAndItsReplayCommand) {
  std::vector<ResultFile> files{synthetic::make({.contention = true}), synthetic::make({.seed = 2})};
  const auto views = view_comparisons(files);
  for (const auto& table : make_tables(files, views)) {
    // Nobody calls an arm of the invented files nondeterministic.
    EXPECT_EQ(table.rows.empty(), table.name == "price_of_forbidding") << table.name;
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << table.name;
  }
  const auto all = results_table(views);
  EXPECT_EQ(all.rows.size(), files[0].records.size() + files[1].records.size());
  for (const auto& row : all.rows) EXPECT_THAT(row.back().get<std::string>(), ::testing::StartsWith("detbench run '"));
}

// "Deterministic" is a claim's word; policies may carry it in their names.
TEST(Findings, neverCallObservationsDeterministic) {
  std::vector<ResultFile> files{synthetic::make({.oddities = false})};
  const auto views = view_comparisons(files);
  std::string words;
  for (const auto& finding : find_findings(files, views))
    if (finding.text.find("Train step") == std::string::npos) words += finding.text;
  for (const auto& record : files[0].records)
    for (const auto& scope : record.agreement) words += scope_words(scope);
  for (const auto tier : all_tiers) words += to_text(tier);
  EXPECT_THAT(words, Not(HasSubstr("eterministic")));
  EXPECT_THAT(words, HasSubstr("no difference in 10 runs"));
}

TEST(Findings, alarmsAreNamed) {
  std::vector<ResultFile> files{synthetic::make({})};
  files[0].complete = false;
  std::string alarms, rest;
  for (const auto& finding : find_findings(files, view_comparisons(files)))
    (finding.alarm ? alarms : rest) += finding.text + "\n";
  for (const char* words : {"interrupted", "Wrong result: onednn:jit_wino as conv_fwd in 1 problem",
                            "Claim broken: fixed_order:gkrsc as conv_wgrad in 5 problems", "differed in partition",
                            "Control address_order was not caught"})
    EXPECT_THAT(alarms, HasSubstr(words));
  EXPECT_THAT(rest, HasSubstr("Asking single ops for no difference run to run and any partition"));
}

TEST(Provenance, linesAreShortAndComplete) {
  std::vector<ResultFile> files(6, synthetic::make({.layers = 1, .arms = 1}));
  const auto lines = provenance_lines(files, 4);
  for (const auto& line : lines) EXPECT_LE(line.size(), 130u);
  EXPECT_THAT(lines.back(), HasSubstr("2 more files"));
  ResultFile unknown;
  unknown.manifest = {{"cpu", 7}, {"gpu", Json::array()}, {"libraries", "none"}};
  EXPECT_EQ(machine_label(unknown), "unknown machine");
  EXPECT_EQ(library_label(unknown), "");
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
}

}  // namespace
}  // namespace detbench::analysis
