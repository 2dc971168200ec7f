// The program as a user meets it: good input works, nonsense gives one line and the right exit code.
#include <algorithm>
#include <csignal>

#include "tests/bench/verbs/program.hpp"

namespace {

using detbench::tests::detbench;
using detbench::tests::ProgramTest;

class VerbsTest : public ProgramTest {};

const std::string tiny = "sum/n4096/f32_f32_strict/vector";

TEST_F(VerbsTest, NonsenseGivesOneLineAndExitCodeTwo) {
  std::ofstream(folder_ / "empty.json");
  std::ofstream(folder_ / "truncated.json") << "{\"schema\": \"detbench-result\", \"schema_ver";
  std::ofstream(folder_ / "newer.json") << "{\"schema\": \"detbench-result\", \"schema_version\": 99}";
  std::ofstream(folder_ / "other.json") << "[1, 2, 3]";
  const std::vector<std::string> wrong{
      "frobnicate",
      "run --profile quickest --out " + at("x"),
      "run nonsense --out " + at("x"),
      "run colour:red --out " + at("x"),
      "run op:no_such_op --out " + at("x"),
      "run sum/n0/f32_f32_strict/vector --out " + at("x"),
      "run sum/n99999999999999999999/f32_f32_strict/vector --out " + at("x"),
      "run conv_fwd/mb1/f32_f32_strict/nhwc --out " + at("x"),
      "run frobnicate/n1/f32_f32_strict/vector --out " + at("x"),
      "run a/b/c --out " + at("x"),
      "run --threads -3 --out " + at("x"),
      "run --seed notanumber --out " + at("x"),
      "run --backend tpu --out " + at("x"),
      "run --resume " + at("nowhere"),
      "run --selections " + at("nowhere") + " --out " + at("x"),
      "run --benchmark_repetitions=3 --out " + at("x"),
      "run --no_such_option --out " + at("x"),
      "list nonsense",
      "list models efficientnet_b9",
      "list models --classes 0",
      "list models small_cnn --pixels 2",
      "report " + at("missing.json") + " --out " + at("r"),
      "report " + at("empty.json") + " --out " + at("r"),
      "report " + at("truncated.json") + " --out " + at("r"),
      "report " + at("newer.json") + " --out " + at("r"),
      "report " + at("other.json") + " --out " + at("r"),
  };
  for (const auto& arguments : wrong) {
    const auto outcome = detbench(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.text;
    EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << arguments << "\n" << outcome.text;
    EXPECT_EQ(outcome.text.rfind("detbench: ", 0), 0U) << arguments << "\n" << outcome.text;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x")) << "a refused run left a folder";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "r")) << "a refused report left a folder";
}

TEST_F(VerbsTest, EveryVerbHasHelpWithAnExample) {
  for (const char* verb : {"env", "list", "list models", "run", "report", "verify"}) {
    const auto outcome = detbench(std::string(verb) + " --help");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.text.find("Example"), std::string::npos) << verb;
  }
}

TEST_F(VerbsTest, ModelsAreListedWithTheirNumbers) {
  const auto listed = detbench("list models");
  ASSERT_EQ(listed.code, 0) << listed.text;
  EXPECT_EQ(std::count(listed.text.begin(), listed.text.end(), '\n'), 1 + 13 + 6 + 2) << listed.text;
  const auto row = [](const std::string& text, const std::string& model) {
    const auto at = text.find("\n" + model + " ");
    return at == std::string::npos ? std::string() : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  };
  const auto holds = [](const std::string& line, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE((line + " ").find(" " + std::string(word) + " "), std::string::npos) << word << " in: " << line;
  };
  holds(row(listed.text, "efficientnet_b0"), {"224x224x3", "1000", "16", "5,288,548", "42,023", "5,330,571", "385.8"});
  holds(row(listed.text, "mobilenet_v2_alpha1.0"), {"17", "3,504,872", "34,112", "3,538,984", "300.8"});
  holds(row(listed.text, "small_dense"), {"1x1x32", "10", "0", "5,514", "0.0"});
  const auto chosen = detbench("list models mobilenet_v2_alpha0.6 efficientnet_lite0 --pixels 97 --classes 7");
  ASSERT_EQ(chosen.code, 0) << chosen.text;
  EXPECT_EQ(std::count(chosen.text.begin(), chosen.text.end(), '\n'), 3) << chosen.text;
  holds(row(chosen.text, "mobilenet_v2_alpha0.6"), {"97x97x3", "7"});
}

TEST_F(VerbsTest, EnvironmentNamesNoHostAndNoUser) {
  const auto outcome = detbench("env --json");
  ASSERT_EQ(outcome.code, 0);
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  if (std::string(host).size() > 3) {
    EXPECT_EQ(outcome.text.find(host), std::string::npos);
  }
  EXPECT_FALSE(nlohmann::json::parse(outcome.text, nullptr, false).is_discarded());
}

TEST_F(VerbsTest, ARowsReplayCommandGivesItsDigestAgain) {
  const auto first = detbench("run " + tiny + " --profile smoke --out " + at("first"));
  ASSERT_EQ(first.code, 0) << first.text;
  std::ifstream file(folder_ / "first/result.json");
  const auto result = nlohmann::json::parse(file);
  for (const auto& record : result["records"]) {
    if (record["id"].get<std::string>().find("fixed_order:fixed_tree") == std::string::npos) continue;
    std::string replay = record["replay"];
    ASSERT_EQ(replay.rfind("detbench run ", 0), 0U);
    const auto again = detbench(replay.substr(9) + " --out " + at("again"));
    ASSERT_EQ(again.code, 0) << again.text;
    std::ifstream second(folder_ / "again/result.json");
    const auto repeated = nlohmann::json::parse(second);
    ASSERT_EQ(repeated["records"].size(), 1U);
    EXPECT_EQ(repeated["records"][0]["output_digest"], record["output_digest"]);
    EXPECT_EQ(repeated["records"][0]["input_digest"], record["input_digest"]);
    return;
  }
  FAIL() << "no fixed_tree row";
}

TEST_F(VerbsTest, NothingIsOverwritten) {
  ASSERT_EQ(detbench("run " + tiny + " algorithm:fixed_tree --profile smoke --out " + at("run")).code, 0);
  const auto size = std::filesystem::file_size(folder_ / "run/result.json");
  const auto again = detbench("run " + tiny + " --profile smoke --out " + at("run"));
  EXPECT_EQ(again.code, 2) << again.text;
  EXPECT_NE(again.text.find("--resume"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "run/result.json"), size);
}

TEST_F(VerbsTest, ARunTakesOverWhatAnotherMeasured) {
  const auto controls = detbench("run op:control --profile smoke --out " + at("controls"));
  EXPECT_EQ(controls.code, 0) << controls.text;
  EXPECT_NE(controls.text.find("controls as expected"), std::string::npos) << controls.text;
  ASSERT_EQ(detbench("run " + tiny + " --profile smoke --out " + at("first")).code, 0);
  const auto joined = detbench("run " + tiny + " --profile smoke --out " + at("joined") + " --import " + at("controls") + " --import " + at("first"));
  ASSERT_EQ(joined.code, 0) << joined.text;
  // Nothing was measured again: the timings are the very samples of the first run.
  const auto records = [&](const char* run) { return nlohmann::json::parse(std::ifstream(folder_ / run / "result.json"))["records"]; };
  const auto first = records("first"), again = records("joined");
  ASSERT_EQ(first.size(), again.size());
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i]["timing"], again[i]["timing"]) << first[i]["id"];
  const auto other = detbench("run " + tiny + " --profile quick --out " + at("other") + " --import " + at("first"));
  EXPECT_EQ(other.code, 2) << other.text;
  EXPECT_NE(other.text.find("profile"), std::string::npos) << other.text;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other")) << "a refused run left a folder";
}

TEST_F(VerbsTest, ChosenScopesAreMeasuredAlone) {
  const auto run = detbench("run " + tiny + " --profile smoke --scopes load,repeat --out " + at("scopes"));
  ASSERT_EQ(run.code, 0) << run.text;
  EXPECT_NE(run.text.find("4 of 4 controls as expected"), std::string::npos) << run.text;
  const auto result = nlohmann::json::parse(std::ifstream(folder_ / "scopes/result.json"));
  for (const auto& record : result["records"])
    for (const auto& scope : record["agreement"]) {
      const auto name = scope["scope"].get<std::string>();
      if (record["status"] != "ok") continue;
      EXPECT_EQ(scope["verdict"] == "not_measured" || scope["verdict"] == "not_applicable", name != "repeat" && name != "load") << name;
    }
  EXPECT_EQ(detbench("run " + tiny + " --scopes repeat,everything --out " + at("bad")).code, 2);
}

TEST_F(VerbsTest, AnInterruptKeepsEveryRowAndSaysHowToResume) {
  // The shell's own timeout sends the interrupt; the run has far more to do than fits into that time.
  const std::string command = "timeout -s INT 4 " + std::string(DETBENCH_PROGRAM) + " run suite:reduction --profile quick --out " + at("run") + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer;
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
  pclose(pipe);
  if (text.find("interrupted") == std::string::npos) GTEST_SKIP() << "the run was over before the interrupt came";
  EXPECT_NE(text.find("--resume"), std::string::npos) << text;
  ASSERT_TRUE(std::filesystem::exists(folder_ / "run/result.json"));
  std::ifstream file(folder_ / "run/result.json");
  const auto before = nlohmann::json::parse(file);
  EXPECT_FALSE(before["complete"].get<bool>());
  const auto resumed = detbench("run --resume " + at("run"));
  EXPECT_EQ(resumed.code, 0) << resumed.text;
  std::ifstream done(folder_ / "run/result.json");
  const auto after = nlohmann::json::parse(done);
  EXPECT_TRUE(after["complete"].get<bool>());
  for (const auto& record : before["records"]) {
    const auto same = std::find_if(after["records"].begin(), after["records"].end(), [&](const auto& r) { return r["id"] == record["id"]; });
    ASSERT_NE(same, after["records"].end());
    EXPECT_EQ((*same)["output_digest"], record["output_digest"]) << "a finished row was measured again";
  }
}

}  // namespace
