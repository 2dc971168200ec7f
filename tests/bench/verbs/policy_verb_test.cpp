// detbench policy as a user meets it.
#include <algorithm>

#include "tests/bench/verbs/program.hpp"

namespace {

using detbench::tests::detbench;
using detbench::tests::ProgramTest;

class PolicyVerb : public ProgramTest {
 protected:
  /// A result with one problem of two layers: a fast arm that differs between thread counts and a slower one that does not.
  void write_result() const {
    nlohmann::json record{{"suite", "convolution"}, {"replay", "detbench run x"}, {"status", "ok"}, {"reason", ""}, {"requested", "not_guaranteed"},
                          {"claim", {{"guarantee", "not_guaranteed"}, {"source", ""}, {"coverage", nlohmann::json::array()}}}, {"claim_verdict", "none"},
                          {"exact_equal", true}, {"verification", nullptr}, {"output_digest", ""}, {"input_digest", ""}, {"plan_s", nullptr},
                          {"workspace_bytes", nullptr}, {"notes", nlohmann::json::object()}, {"train_step", nullptr}};
    const auto scope = [](const char* name, bool differs) {
      return nlohmann::json{{"scope", name}, {"verdict", differs ? "differs" : "no_difference"}, {"reason", ""}, {"runs", 10}, {"distinct", differs ? 2 : 1},
                            {"bound", nullptr}, {"stages", nlohmann::json::array()}, {"witness", nullptr}};
    };
    const auto timing = [](double seconds) {
      nlohmann::json samples = nlohmann::json::array();
      for (int block = 0; block < 8; ++block)
        samples.push_back({{"block", block}, {"position", 0}, {"elapsed_s", seconds}, {"iterations", 1}, {"involuntary_switches", 0}, {"foreign_s", 0.0}, {"foreign_load", false}});
      return nlohmann::json{{"samples", samples}, {"digest", ""}, {"slow", false}};
    };
    const std::string problem = "conv_wgrad/mb1/f32_f32_strict/nhwc";
    auto fast = record, slow = record;
    fast["id"] = problem + "/onednn:jit:avx2", fast["timing"] = timing(1e-3);
    fast["agreement"] = {scope("repeat", false), scope("process", false), scope("load", false), scope("partition", true)};
    slow["id"] = problem + "/fixed_order:direct", slow["timing"] = timing(1.5e-3);
    slow["agreement"] = {scope("repeat", false), scope("process", false), scope("load", false), scope("partition", false)};
    const nlohmann::json result{
        {"schema", "detbench-result"}, {"schema_version", 1}, {"digest_version", 1}, {"detbench_version", "0"}, {"commit", ""}, {"dirty", false},
        {"created_utc", "2026-01-01T00:00:00Z"}, {"complete", true}, {"elapsed_s", 1.0}, {"filter", ""},
        {"profile", {{"name", "quick"}, {"repeat", 10}, {"process", 2}, {"load", 10}, {"configurations", 2}, {"blocks", 8}}}, {"seed", 1}, {"backend", "cpu"},
        {"manifest", {{"libraries", {{"onednn", "2.6.3"}}}, {"threads", 2}}}, {"controls", nlohmann::json::array()},
        {"comparisons", {{{"problem", problem}, {"suite", "convolution"}, {"used_by", {"net:a", "net:b"}}, {"schedule_seed", 5}, {"blocks", 8}, {"twin_of", ""},
                          {"twin_samples", nlohmann::json::array()}, {"input_digest", ""}, {"flops", nullptr}, {"bytes", nullptr}}}},
        {"records", {fast, slow}}};
    std::ofstream(folder_ / "result.json") << result.dump();
  }
};

TEST_F(PolicyVerb, ChoosesUnderADemandAndABudget) {
  write_result();
  const auto pick = [&](const std::string& arguments, const char* file) {
    const auto outcome = detbench("policy choose " + at("result.json") + " " + arguments + " --out " + at(file));
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    return read(file)["rules"][0]["algorithm"].get<std::string>();
  };
  EXPECT_EQ(pick("", "a.json"), "onednn:jit:avx2");
  EXPECT_EQ(pick("--demand run_to_run", "b.json"), "onednn:jit:avx2");
  EXPECT_EQ(pick("--demand partition", "c.json"), "fixed_order:direct");
  EXPECT_EQ(pick("--demand partition --budget 10%", "d.json"), "onednn:jit:avx2");
  EXPECT_EQ(pick("--demand partition --budget 50%", "e.json"), "fixed_order:direct");
  EXPECT_EQ(pick("--policy fastest_observed:partition", "f.json"), "fixed_order:direct");
  EXPECT_EQ(read("c.json")["target"]["onednn"], "2.6.3");
  EXPECT_EQ(read("d.json")["name"], "budget:10%");
  // Nothing is overwritten unasked.
  EXPECT_EQ(detbench("policy choose " + at("result.json") + " --out " + at("c.json")).code, 2);
  EXPECT_EQ(read("c.json")["name"], "fastest_observed:partition");
  EXPECT_EQ(detbench("policy choose " + at("result.json") + " --force --out " + at("c.json")).code, 0);
  EXPECT_EQ(read("c.json")["name"], "fastest");
}

TEST_F(PolicyVerb, ADemandThatNothingMeetsNamesTheOp) {
  write_result();
  const auto refused = detbench("policy choose " + at("result.json") + " --demand run_to_run --claimed --out " + at("x.json"));
  EXPECT_EQ(refused.code, 3) << refused.text;
  EXPECT_NE(refused.text.find("conv_wgrad"), std::string::npos) << refused.text;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.json"));
}

TEST_F(PolicyVerb, ShowsATableAndTheNearestSwitches) {
  write_result();
  ASSERT_EQ(detbench("policy choose " + at("result.json") + " --demand partition --out " + at("p.json")).code, 0);
  const auto table = detbench("policy show " + at("p.json"));
  EXPECT_EQ(table.code, 0);
  for (const char* part : {"conv_wgrad", "fixed_order:direct", "1 rules", "onednn 2.6.3"}) EXPECT_NE(table.text.find(part), std::string::npos) << table.text;
  for (const auto& [framework, part] : {std::pair{"pytorch", "torch.set_num_threads(2)"}, {"tensorflow", "enable_op_determinism"}, {"jax", "cannot: "}}) {
    const auto switches = detbench("policy show " + at("p.json") + " --for " + framework);
    EXPECT_EQ(switches.code, 0) << switches.text;
    EXPECT_NE(switches.text.find(part), std::string::npos) << switches.text;
    EXPECT_NE(switches.text.find("cannot: "), std::string::npos) << switches.text;
  }
}

TEST_F(PolicyVerb, NonsenseGivesOneLineAndExitCodeTwo) {
  write_result();
  std::ofstream(folder_ / "empty.json");
  std::ofstream(folder_ / "newer.json") << R"({"schema": "detbench-policy", "schema_version": 99})";
  ASSERT_EQ(detbench("policy choose " + at("result.json") + " --out " + at("p.json")).code, 0);
  const std::vector<std::string> wrong{"", "frobnicate", "choose", "choose " + at("nowhere.json"), "choose " + at("empty.json"),
      "choose " + at("result.json") + " --demand sometimes --out " + at("x"), "choose " + at("result.json") + " --budget lots --out " + at("x"),
      "choose " + at("result.json") + " --policy slowest --out " + at("x"), "choose " + at("result.json") + " --policy fastest --demand batch --out " + at("x"),
      "choose " + at("result.json") + " --claimed --out " + at("x"), "choose " + at("result.json") + " --demand none --budget 5% --out " + at("x"),
      "show", "show " + at("nowhere.json"), "show " + at("newer.json"), "show " + at("empty.json"), "show " + at("result.json"),
      "show " + at("p.json") + " --for caffe", "measure", "measure " + at("nowhere.json"), "measure " + at("p.json") + " --profile quickest",
      "measure " + at("p.json") + " --backend tpu", "measure " + at("p.json") + " --backend cuda --out " + at("y"),
      "measure " + at("p.json") + " --step nonsense --out " + at("y"), "measure " + at("p.json") + " " + at("p.json") + " --out " + at("y"),
      "measure " + at("p.json") + " --threads -1 --out " + at("y")};
  for (const auto& arguments : wrong) {
    const auto outcome = detbench("policy " + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << ": " << outcome.text;
    EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << arguments << ": " << outcome.text;
    EXPECT_TRUE(outcome.text.starts_with("detbench: ")) << outcome.text;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "y"));
}

TEST_F(PolicyVerb, EveryHelpHasExamples) {
  for (const char* verb : {"", "choose", "show", "measure"}) {
    const auto outcome = detbench(std::string("policy ") + verb + " --help");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    EXPECT_NE(outcome.text.find("detbench policy "), std::string::npos) << outcome.text;
  }
}

TEST_F(PolicyVerb, MeasuresTheStepWithAFile) {
  write_result();
  ASSERT_EQ(detbench("policy choose " + at("result.json") + " --out " + at("p.json")).code, 0);
  const auto outcome = detbench("policy measure " + at("p.json") + " --profile smoke --only --out " + at("run") +
                                " --step train_step_mobilenet_v2/alpha0.35_px32_mb1_classes10/f32_f32_strict/nhwc");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  const auto result = read("run/result.json");
  bool found = false;
  for (const auto& record : result["records"])
    found |= record["id"].get<std::string>().find("network:fastest@") != std::string::npos && record["status"] == "ok";
  EXPECT_TRUE(found) << outcome.text;
  EXPECT_NE(outcome.text.find("network:fastest"), std::string::npos) << outcome.text;
  EXPECT_EQ(detbench("policy measure " + at("p.json") + " --profile smoke --out " + at("run")).code, 2) << "a folder that holds a run is left alone";
}

}  // namespace
