#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "bench/analysis/page.hpp"
#include "bench/analysis/render.hpp"
#include "bench/analysis/report.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Reports : public ::testing::Test {
 protected:
  Reports() : folder_(fs::temp_directory_path() / ("detbench-report-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "venv" / "share" / "detbench");
    // Stands in for the Vega scripts: what matters here is that the text is inlined.
    std::ofstream(folder_ / "venv" / "share" / "detbench" / "vega.bundle.js")
        << "/* bundle */ window.vegaEmbed = () => Promise.resolve();";
  }
  ~Reports() override { fs::remove_all(folder_); }
  std::string get(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  ReportOptions options(bool with_bundle = true) {
    return {
        .out = folder_ / "out", .force = false, .images = false, .venv = folder_ / (with_bundle ? "venv" : "no_venv")};
  }
  fs::path folder_;
};

TEST_F(Reports, holdPageTablesAndCharts) {
  const auto made = write_report({synthetic::make({})}, options());
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_TRUE(made->notes.empty());
  const auto page = get(made->page);
  EXPECT_THAT(page, HasSubstr("/* bundle */"));
  for (const char* name : {"tradeoff_frontier", "cost_of_thread_invariance", "reductions", "train_step_policies",
                           "layer_cost", "verdict_matrix"}) {
    EXPECT_THAT(page, HasSubstr(std::string("id=\"spec-") + name + "\""));
    EXPECT_TRUE(fs::exists(folder_ / "out" / "charts" / (std::string(name) + ".vl.json")));
  }
  for (const char* name : {"claim_audit", "results", "price_of_agreement", "reductions", "train_steps", "controls"})
    for (const char* ending : {".md", ".csv"})
      EXPECT_GT(fs::file_size(folder_ / "out" / "tables" / (std::string(name) + ending)), 40u);
  EXPECT_THAT(page, HasSubstr("detbench run &#39;conv_fwd/"));
}

// Self-contained: nothing is fetched. Addresses may stand in the $schema of a specification and inside the bundle.
TEST_F(Reports, fetchNothing) {
  ASSERT_TRUE(write_report({synthetic::make({})}, options()));
  const auto page = get(folder_ / "out" / "report.html");
  for (const char* fetch : {"<link", "src=", "@import", "url(", "fetch("}) EXPECT_THAT(page, Not(HasSubstr(fetch)));
}

TEST_F(Reports, withoutTheBundleThereAreTablesAndTheRemedy) {
  const auto made = write_report({synthetic::make({})}, options(false));
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_EQ(made->notes.size(), 1u);
  EXPECT_THAT(made->notes[0], HasSubstr("scripts/setup.sh"));
  const auto page = get(made->page);
  EXPECT_THAT(page, HasSubstr("Charts are missing: run scripts/setup.sh"));
  EXPECT_THAT(page, Not(HasSubstr("vegaEmbed")));
  EXPECT_THAT(page, HasSubstr("<details open>"));
}

TEST_F(Reports, imagesWithoutPythonAreANoteNotAFailure) {
  auto wanted = options();
  wanted.images = true;
  const auto made = write_report({synthetic::make({.layers = 1, .arms = 1})}, wanted);
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_EQ(made->notes.size(), 1u);
  EXPECT_THAT(made->notes[0], HasSubstr("no SVG, PNG and PDF: there is no .venv; scripts/setup.sh"));
}

TEST_F(Reports, workForEveryValidFile) {
  auto interrupted = synthetic::make({.layers = 1});
  interrupted.complete = false;
  interrupted.records.resize(2);
  auto untimed = synthetic::make({.layers = 2});
  for (auto& r : untimed.records) r.timing.reset();
  for (auto& r : untimed.records) r.agreement.clear();
  const std::vector<std::vector<ResultFile>> cases{
      {ResultFile{}},
      {synthetic::make({.layers = 0, .reductions = false, .train_step = false})},
      {interrupted},
      {untimed},
      {synthetic::make({.blocks = 1})},
      {synthetic::make({.busy = true})},
      {synthetic::make({.layers = 2}), ResultFile{}, interrupted}};
  for (const auto& files : cases) {
    auto wanted = options();
    wanted.force = true;
    const auto made = write_report(files, wanted);
    EXPECT_TRUE(made) << made.error().text;
  }
}

TEST_F(Reports, replaceOnlyReportsAndOnlyByForce) {
  const std::vector files{synthetic::make({.layers = 1, .arms = 1})};
  auto wanted = options();
  ASSERT_TRUE(write_report(files, wanted));
  EXPECT_THAT(write_report(files, wanted).error().text, HasSubstr("holds a report already; --force"));
  wanted.force = true;
  wanted.out = folder_ / "out" / "";  // with a slash at its end
  EXPECT_TRUE(write_report(files, wanted));
  std::ofstream(folder_ / "out" / "thesis.txt") << "years of work";
  EXPECT_THAT(write_report(files, wanted).error().text, HasSubstr("holds files that are not a report"));
  EXPECT_EQ(get(folder_ / "out" / "thesis.txt"), "years of work");
  wanted.out = folder_ / "venv" / "share" / "detbench" / "vega.bundle.js";
  EXPECT_THAT(write_report(files, wanted).error().text, HasSubstr("is no folder"));
  wanted.out.clear();
  EXPECT_FALSE(write_report(files, wanted));
  EXPECT_FALSE(write_report({}, options()));
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("partial"))) << "a draft was left behind";
}

TEST_F(Reports, hostileTextStaysText) {
  auto file = synthetic::make({.layers = 1});
  file.records.back().reason = "</script><script>alert(1)</script> & \"quotes\" | pipes";
  file.records.back().status = RunStatus::crashed;
  file.comparisons[0].used_by = {"net:<img onerror=alert(2)>"};
  file.manifest["cpu"]["model"] = "</script><b>";
  ASSERT_TRUE(write_report({file}, options()));
  const auto page = get(folder_ / "out" / "report.html");
  for (const char* tag : {"<script>alert", "<img", "</script><b>"}) EXPECT_THAT(page, Not(HasSubstr(tag)));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(page, HasSubstr("\\u003c"));
}

// The real renderer over every chart, where scripts/setup.sh was run.
TEST_F(Reports, imagesOfEveryChart) {
  const auto venv = analysis::find_venv({});
  if (venv.empty()) GTEST_SKIP() << "no .venv; scripts/setup.sh makes it";
  auto wanted = options();
  wanted.images = true;
  wanted.venv = venv;
  const auto made = write_report({synthetic::make({.layers = 2, .arms = 40})}, wanted);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->notes, ::testing::IsEmpty());
  std::size_t images = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "out" / "charts")) {
    if (entry.path().extension() == ".json") continue;
    ++images;
    EXPECT_GT(entry.file_size(), 2000u) << entry.path();
  }
  EXPECT_EQ(images, 36u);
}

}  // namespace
}  // namespace detbench
