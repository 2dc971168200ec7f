// `detbench catalog` and scripts/cudnn_ladder.sh as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int code = -1;
  std::string text;  ///< stdout and stderr
};

Outcome shell(const std::string& line) {
  FILE* pipe = popen(("{ " + line + "; } 2>&1").c_str(), "r");
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe)) outcome.text.append(buffer.data(), n);
  const int state = pclose(pipe);
  outcome.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return outcome;
}

Outcome run_catalog(const std::string& arguments) { return shell(std::string("'" DETBENCH_PROGRAM "' catalog ") + arguments); }

std::string slurp(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CatalogVerb : public ::testing::Test {
 protected:
  testing::Folder folder_;
};

void expect_one_line(const Outcome& outcome, const std::string& what) {
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << what << "\n" << outcome.text;
}

TEST_F(CatalogVerb, NonsenseGivesOneLineAndExitCodeTwo) {
  folder_.write("cut.json", "{\"schema\": \"detbench-cat");
  folder_.write("good.json", format_json(testing::catalog({})));
  for (const std::string& arguments : std::vector<std::string>{
           "--model resnet50", "--types f8", "--types f32,f8", "--layout blocked", "--format xml", "--format markdown", "--padding valid", "--px 31", "--px -1", "--alpha 0",
           "--batch 0", "--jobs -1", "--timeout 0", "layer:nowhere", "colour:red", "provider:cudnn*", "op:conv_fwd algorithm:eng5", "sum/n8/f32_f32_strict/vector",
           "--compare " + folder_.quoted("missing.json"), "--compare " + folder_.quoted("cut.json"),
           "--compare " + folder_.quoted("good.json") + " --arch sm_90", "--compare " + folder_.quoted("good.json") + " --format xml",
           "--out " + folder_.quoted("good.json") + " layer:Conv1", "--no_such_option"}) {
    const auto outcome = run_catalog(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.text;
    expect_one_line(outcome, arguments);
    EXPECT_EQ(outcome.text.rfind("detbench: ", 0), 0U) << outcome.text;
  }
  EXPECT_EQ(slurp(folder_.at("good.json")), format_json(testing::catalog({})));
}

TEST_F(CatalogVerb, HelpHasExamples) {
  const auto outcome = run_catalog("--help");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.text, HasSubstr("Examples: detbench catalog"));
}

TEST_F(CatalogVerb, ProblemsCanBeListedWithoutAskingAnything) {
  const auto outcome = run_catalog("--problems --types f32,bf16 --layout nchw op:conv_dgrad");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 58);
  EXPECT_THAT(outcome.text, HasSubstr("/bf16_f32_strict/nchw  mobilenet_v2_alpha1.0:expanded_conv_depthwise"));
}

TEST_F(CatalogVerb, WithoutCudnnItIsSkippedWithTheRemedy) {
  const auto outcome = shell("DETBENCH_CUDNN_DIR=" + folder_.quoted("nowhere") + " '" DETBENCH_PROGRAM "' catalog layer:Conv1 --out " + folder_.quoted("x.json"));
  EXPECT_EQ(outcome.code, 77) << outcome.text;
  expect_one_line(outcome, "no cuDNN");
  EXPECT_THAT(outcome.text, HasSubstr("cuDNN"));
  EXPECT_FALSE(fs::exists(folder_.at("x.json")));
}

TEST_F(CatalogVerb, ARealCatalogIsWrittenReadAndNotOverwritten) {
  const std::string filter = "layer:Conv1 dtype:f32 --out ";
  const auto made = run_catalog(filter + folder_.quoted("a.json") + " --format json");
  if (made.code == 77) GTEST_SKIP() << made.text;
  ASSERT_EQ(made.code, 0) << made.text;
  const auto read = read_catalog_file(folder_.at("a.json"));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->entries.size(), 2U) << "forward and weight gradient: the images need none";
  const auto again = run_catalog(filter + folder_.quoted("a.json") + " --format json");
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.text, HasSubstr("--force"));
  EXPECT_EQ(run_catalog(filter + folder_.quoted("a.json") + " --format json --force").code, 0);
  const auto table = run_catalog("layer:Conv1 dtype:f32 op:conv_wgrad");
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.text, HasSubstr("cuDNN " + read->cudnn_version + " for sm_90"));
  EXPECT_THAT(table.text, HasSubstr("engine status")) << "few problems are shown engine by engine";
  const auto csv = run_catalog("layer:Conv1 dtype:f32 op:conv_wgrad --format csv");
  EXPECT_EQ(csv.code, 0);
  EXPECT_EQ(csv.text.rfind("cudnn_version,arch,", 0), 0U);
  const auto unknown_arch = run_catalog("layer:Conv1 --arch sm_42");
  EXPECT_EQ(unknown_arch.code, 2);
  expect_one_line(unknown_arch, "sm_42");
  EXPECT_THAT(unknown_arch.text, HasSubstr("sm_90"));
}

TEST_F(CatalogVerb, ComparesFilesInEveryFormatAndWarnsOfUnlikeOnes) {
  using testing::engine;
  const auto entry = [](std::vector<Engine> engines) { return testing::entry(testing::problem(), std::move(engines), {"eng5"}, {"eng5"}, {"eng0"}); };
  auto newest = testing::catalog({entry({engine(0), engine(5, {note_nondeterministic})})}, "9.28.0");
  newest.driver = DriverLibrary::present;
  folder_.write("a.json", format_json(testing::catalog({entry({engine(0), engine(5)})}, "9.19.0")));
  folder_.write("b.json", format_json(testing::catalog({entry({engine(0), engine(5, {note_nondeterministic})})}, "9.23.1")));
  folder_.write("c.json", format_json(newest));
  const auto files = folder_.quoted("a.json") + " " + folder_.quoted("b.json");
  const auto table = run_catalog("--compare " + files);
  EXPECT_EQ(table.code, 0) << table.text;
  EXPECT_THAT(table.text, HasSubstr("engine 5: not marked to NONDETERMINISTIC in 1 problem"));
  EXPECT_THAT(table.text, Not(HasSubstr("warning")));
  EXPECT_THAT(run_catalog("--compare " + files + " --format markdown").text, HasSubstr("## From cuDNN 9.19.0 sm_90 to cuDNN 9.23.1 sm_90"));
  EXPECT_THAT(run_catalog("--compare " + files + " --format csv").text, HasSubstr("nondeterminism,conv_fwd,f32_f32_tf32,nhwc,5,,not marked,NONDETERMINISTIC,1"));
  ASSERT_EQ(run_catalog("--compare " + files + " --format json --out " + folder_.quoted("changes.json")).code, 0);
  const auto json = Json::parse(slurp(folder_.at("changes.json")));
  EXPECT_EQ(json["comparisons"][0]["changes"][0]["change"], "nondeterminism");
  const auto unlike = run_catalog("--compare " + files + " " + folder_.quoted("c.json"));
  EXPECT_EQ(unlike.code, 0);
  EXPECT_THAT(unlike.text, HasSubstr("detbench: warning: cuDNN 9.23.1 sm_90 against cuDNN 9.28.0 sm_90: NOT LIKE WITH LIKE"));
}

/// The ladder with a program and a Python that only pretend.
class Ladder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("9.12.json", format_json(testing::catalog({testing::entry(testing::problem(), {testing::engine(0)}, {"eng0"}, {}, {})}, "9.12.0")));
    folder_.write("9.19.json", format_json(testing::catalog({testing::entry(testing::problem(), {testing::engine(0, {note_nondeterministic})}, {"eng0"}, {}, {})}, "9.19.0")));
    // Installs what looks like a wheel; knows no 9.13.
    script("python", "echo \"$*\" >> \"$0.log\"\n"
                     "[[ \"$3\" == --version ]] && exit 0\n"
                     "target= ; while (($# > 0)); do [[ \"$1\" == --target ]] && target=\"$2\"; last=\"$1\"; shift; done\n"
                     "[[ \"$last\" == *==9.13.* ]] && { echo 'ERROR: No matching distribution found' ; exit 1; }\n"
                     "mkdir -p \"$target/nvidia/cudnn/lib\" \"$target/nvidia/cu13/lib\"; touch \"$target/nvidia/cudnn/lib/libcudnn.so.9\"\n");
    // Answers for 9.12 and 9.19 from files, dies over 9.14, and compares for real.
    script("detbench", "case \" $* \" in *' --compare '*) exec '" DETBENCH_PROGRAM "' \"$@\" ;; *' --problems '*) exit 0 ;; esac\n"
                       "[[ \"$DETBENCH_CUDNN_DIR\" == *-9.14/nvidia/cudnn/lib ]] && kill -SEGV $$\n"
                       "[[ \":$LD_LIBRARY_PATH:\" == *other* ]] && { echo 'another cuDNN is on the path'; exit 3; }\n"
                       "version=\"${DETBENCH_CUDNN_DIR%/nvidia/cudnn/lib}\"; version=\"${version##*-}\"\n"
                       "while (($# > 0)); do [[ \"$1\" == --out ]] && out=\"$2\"; shift; done\n"
                       "cp \"$(dirname \"$0\")/$version.json\" \"$out\"\n");
  }
  void script(const std::string& name, const std::string& body) {
    folder_.write(name, "#!/usr/bin/env bash\n" + body);
    fs::permissions(folder_.at(name), fs::perms::owner_all);
  }
  Outcome ladder(const std::string& arguments, const std::string& environment = "") {
    return shell(environment + " PYTHON=" + folder_.quoted("python") + " '" DETBENCH_SCRIPTS_DIR "/cudnn_ladder.sh' --no-sweep --cuda 13 --detbench " +
                 folder_.quoted("detbench") + " --cache " + folder_.quoted("cache") + " " + arguments);
  }
  testing::Folder folder_;
};

TEST_F(Ladder, RefusesNonsenseInOneLine) {
  for (const char* arguments : {"", "8.9", "9.7", "9", "9.x", "9.19.0.56.1", "latest", "9.19 9.19", "--cuda 11 9.19", "--bogus 9.19", "9.19 --out", "9.19 --arch ''"}) {
    const auto outcome = ladder(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.text;
    expect_one_line(outcome, arguments);
  }
  EXPECT_FALSE(fs::exists(folder_.at("cache")));
}

TEST_F(Ladder, OneVersionThatFailsDoesNotStopTheOthers) {
  const auto outcome = ladder("9.12 9.13 9.14 9.19 --arch sm_86 --out " + folder_.quoted("out"));
  EXPECT_EQ(outcome.code, 3) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("cuDNN 9.13: not installed"));
  EXPECT_THAT(outcome.text, HasSubstr("No matching distribution"));
  EXPECT_THAT(outcome.text, HasSubstr("cuDNN 9.14: detbench catalog ended with 139"));
  EXPECT_THAT(outcome.text, HasSubstr("not done: 9.13, 9.14"));
  EXPECT_THAT(outcome.text, HasSubstr("engine 0: not marked to NONDETERMINISTIC in 1 problem"));
  EXPECT_THAT(slurp(folder_.at("out/changes.md")), HasSubstr("| 9.12.0 | sm_90 |"));
  EXPECT_EQ(Json::parse(slurp(folder_.at("out/changes.json")))["comparisons"].size(), 1U);
  EXPECT_TRUE(fs::exists(folder_.at("out/catalog-9.19.json")));
  EXPECT_FALSE(fs::exists(folder_.at("cache/cu13-9.13"))) << "whole or not at all";
}

TEST_F(Ladder, InstallsOnceAndKeepsOtherCudnnsOut) {
  fs::create_directories(folder_.at("other"));
  folder_.write("other/libcudnn_graph.so.9", "");
  ASSERT_EQ(ladder("9.12 9.19 --out " + folder_.quoted("first"), "LD_LIBRARY_PATH=" + folder_.quoted("other")).code, 0);
  const auto log = slurp(folder_.at("python.log"));
  EXPECT_THAT(log, HasSubstr("nvidia-cudnn-cu13==9.12.*"));
  fs::remove(folder_.at("python.log"));
  const auto again = ladder("9.19 9.12 --out " + folder_.quoted("second"));
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_THAT(slurp(folder_.at("python.log")), Not(HasSubstr("install"))) << "nothing is downloaded twice";
  const auto taken = ladder("9.19 --out " + folder_.quoted("second"));
  EXPECT_EQ(taken.code, 2);
  expect_one_line(taken, "--out is there already");
}

}  // namespace
}  // namespace detbench::catalog
