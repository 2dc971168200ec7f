// detbench verify as a user meets it.
#include <algorithm>
#include <set>
#include <sstream>

#include "tests/bench/verbs/program.hpp"
#include "tests/models/committed_bits.hpp"

namespace {

using detbench::tests::detbench;
using detbench::tests::ProgramTest;

using Json = nlohmann::json;

const std::string tiny = "sum/n4096/f32_f32_strict/vector";
const std::string step = "train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc/network:fixed_order@steps=3";

Json claim_of(const std::string& source) {
  return {{"guarantee", "gpu_to_gpu"}, {"source", source}, {"coverage", {"repeat", "process", "load", "machine"}}};
}

class VerifyVerb : public ProgramTest {
 protected:
  void write(const std::string& name, const Json& json) const { std::ofstream(folder_ / name) << json; }

  static Json row(const std::string& id, const std::string& digest, const std::string& source = "by construction") {
    return {{"id", id}, {"suite", "reduction"}, {"replay", "detbench run " + id}, {"status", "ok"}, {"reason", ""}, {"requested", "not_guaranteed"},
            {"claim", claim_of(source)}, {"claim_verdict", "held_in_n"}, {"exact_equal", nullptr}, {"verification", nullptr}, {"agreement", Json::array()},
            {"timing", nullptr}, {"output_digest", digest}, {"input_digest", ""}, {"plan_s", nullptr}, {"workspace_bytes", nullptr},
            {"notes", Json::object()}, {"train_step", nullptr}};
  }
  static Json result(const Json& rows) {
    return {{"schema", "detbench-result"}, {"schema_version", 1}, {"digest_version", 1}, {"fill_version", 1}, {"detbench_version", "0.0.1"}, {"commit", ""},
            {"dirty", false}, {"created_utc", "2026-11-20T12:00:00Z"}, {"complete", true}, {"elapsed_s", 1.0}, {"filter", ""},
            {"profile", {{"name", "smoke"}, {"repeat", 5}, {"process", 1}, {"load", 5}, {"configurations", 2}, {"blocks", 5}}}, {"seed", 1},
            {"backend", "cuda"}, {"manifest", Json::object()}, {"controls", Json::array()}, {"comparisons", Json::array()}, {"records", rows}};
  }
};

/// The other digest that differs in its first digit.
std::string flipped(std::string digest) {
  digest[0] = digest[0] == '0' ? '1' : '0';
  return digest;
}

TEST_F(VerifyVerb, WhatACpuMeasuredIsRecomputedAndEachKindOfChangeIsToldApart) {
  const auto run = detbench("run " + tiny + " --profile smoke --scopes repeat --out " + at("run"));
  ASSERT_EQ(run.code, 0) << run.text;
  auto made = read("run/result.json");
  std::size_t claiming = 0;
  for (const auto& record : made["records"]) {
    const auto& coverage = record["claim"]["coverage"];
    claiming += record["status"] == "ok" && std::find(coverage.begin(), coverage.end(), "machine") != coverage.end();
    if (record["status"] != "ok") continue;
    ASSERT_TRUE(record.contains("accuracy")) << record["id"];
    EXPECT_LE(record["accuracy"]["error_ulp_min"], record["accuracy"]["error_ulp"]);
    EXPECT_GE(record["accuracy"]["error_ulp_max"], record["accuracy"]["error_ulp"]);
    EXPECT_GT(record["accuracy"]["condition"], 1);
    // Correctly rounded: half a unit at most, in whatever order the summands came.
    if (record["id"].get<std::string>().ends_with("order_independent:superaccumulator")) {
      EXPECT_LE(record["accuracy"]["error_ulp_max"], 0.5);
    }
  }
  ASSERT_GE(claiming, 5u);
  const auto same = detbench("verify " + at("run") + " --threads 1,3 --json " + at("report.json"));
  EXPECT_EQ(same.code, 0) << same.text;
  EXPECT_TRUE(same.says(std::to_string(claiming) + " match, 0 differ, 0 could not be recomputed")) << same.text;

  // As a GPU would have made it, with a digest that came out wrong, inputs that did, and rows that nobody here can run.
  made["backend"] = "cuda";
  std::size_t wrong_output = 0, wrong_input = 0;
  for (std::size_t i = 0; i < made["records"].size(); ++i) {
    const std::string id = made["records"][i]["id"];
    if (id.ends_with("fixed_order:fixed_tree")) wrong_output = i;
    if (id.ends_with("order_independent:superaccumulator")) wrong_input = i;
  }
  ASSERT_NE(wrong_output, wrong_input);
  auto& rows = made["records"];
  rows[wrong_output]["output_digest"] = flipped(rows[wrong_output]["output_digest"]);
  rows[wrong_input]["input_digest"] = flipped(rows[wrong_input]["input_digest"]);
  rows.push_back(row(tiny + "/fixed_order:no_such_order", std::string(32, 'a')));
  rows.push_back(row(tiny + "/cub:gpu_to_gpu", std::string(32, 'b'), "CCCL 3.2: gpu_to_gpu"));
  rows.push_back(row("no_such_op/n4096/f32_f32_strict/vector/fixed_order:serial", std::string(32, 'c')));
  rows.push_back(row("sum/n17179869184/f64_f64_strict/vector/fixed_order:fixed_tree", std::string(32, 'd')));
  write("edited.json", made);
  const auto edited = detbench("verify " + at("edited.json") + " --json " + at("edited_report.json"));
  EXPECT_EQ(edited.code, 1) << edited.text;
  EXPECT_TRUE(edited.says(std::to_string(claiming - 2) + " match, 2 differ, 4 could not be recomputed")) << edited.text;
  EXPECT_TRUE(edited.says("DIFFERS  " + tiny + "/fixed_order:fixed_tree: recorded " + rows[wrong_output]["output_digest"].get<std::string>())) << edited.text;
  EXPECT_TRUE(edited.says("/order_independent:superaccumulator: its inputs have the digest ")) << edited.text;
  EXPECT_TRUE(edited.says("no       " + tiny + "/fixed_order:no_such_order: ")) << edited.text;
  EXPECT_TRUE(edited.says("its bits are those of cub, which promises them between GPUs (CCCL 3.2: gpu_to_gpu)")) << edited.text;
  EXPECT_TRUE(edited.says("this detbench has no op 'no_such_op'")) << edited.text;
  EXPECT_TRUE(edited.says("MiB of memory, and ")) << edited.text;

  // Inputs of another version of the fills are no difference; of an unknown one, only where their digests are the same.
  made["fill_version"] = 2;
  write("other_fill.json", made);
  const auto other_fill = detbench("verify " + at("other_fill.json"));
  EXPECT_EQ(other_fill.code, 77) << other_fill.text;
  EXPECT_TRUE(other_fill.says("its inputs are of fill version 2, and this detbench fills with version 1")) << other_fill.text;
  made.erase("fill_version");
  write("old.json", made);
  const auto old = detbench("verify " + at("old.json") + " " + at("run") + " 'algorithm:superaccumulator'");
  EXPECT_EQ(old.code, 0) << old.text;
  EXPECT_TRUE(old.says("its inputs were filled in another way")) << old.text;
  EXPECT_TRUE(old.says("1 match, 0 differ, 1 could not be recomputed")) << old.text;

  // The report has the keys of its schema, and the field guide has them all.
  std::ifstream schema_file(std::string(DETBENCH_RESULTS_DIR) + "/verification-schema-v1.json"), guide_file(std::string(DETBENCH_RESULTS_DIR) + "/README.md");
  const auto schema = Json::parse(schema_file);
  std::stringstream guide;
  guide << guide_file.rdbuf();
  const auto check = [&](const Json& object, const Json& definition) {
    std::set<std::string> written, known;
    for (const auto& [key, value] : object.items()) written.insert(key);
    for (const auto& [key, value] : definition["properties"].items()) known.insert(key);
    EXPECT_EQ(written, known);
    EXPECT_EQ(definition["required"].size(), known.size());
    for (const auto& key : written) EXPECT_NE(guide.str().find("`" + key + "`"), std::string::npos) << key;
  };
  const auto report = read("edited_report.json");
  check(report, schema);
  check(report["files"][0], schema["$defs"]["file"]);
  check(report["configurations"][0], schema["$defs"]["configuration"]);
  for (const auto& verified : report["rows"]) {
    check(verified, schema["$defs"]["row"]);
    for (const auto& recomputed : verified["runs"]) check(recomputed, schema["$defs"]["recomputation"]);
  }
  EXPECT_EQ(report["differ"], 2);
  EXPECT_EQ(read("report.json")["rows"][0]["runs"].size(), 2u);
  EXPECT_EQ(detbench("verify " + at("run") + " --json " + at("report.json")).code, 2) << "it is there already";
}

TEST_F(VerifyVerb, AWholeTrainStepOfAGpuIsRecomputedWithTheCommittedDigest) {
  auto graph = step;
  graph.insert(graph.rfind("@") + 1, "exec=graph,");
  write("steps.json", result({row(step, detbench::testing::committed_digest), row(graph, detbench::testing::committed_digest)}));
  const auto found = detbench("verify " + at("steps.json") + " op:train_step_*");
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_TRUE(found.says("match    " + step)) << found.text;
  EXPECT_TRUE(found.says("2 match, 0 differ, 0 could not be recomputed")) << found.text;
  const auto stopped = detbench("verify " + at("steps.json") + " --limit-s 0.001 --out " + at("stopped.json"));
  EXPECT_EQ(stopped.code, 77) << stopped.text;
  EXPECT_TRUE(stopped.says("2 not reached within the limit")) << stopped.text;
  EXPECT_FALSE(read("stopped.json")["complete"]);
}

TEST_F(VerifyVerb, WhatCannotBeVerifiedIsRefusedInOneLine) {
  write("good.json", result({row(tiny + "/fixed_order:fixed_tree", std::string(32, 'a'))}));
  write("newer.json", {{"schema", "detbench-result"}, {"schema_version", 99}});
  auto digests = result(Json::array());
  digests["digest_version"] = 2;
  write("digests.json", digests);
  write("hostile.json", result({row("no case name", std::string(32, 'a'))}));
  write("none.json", result(Json::array()));
  std::ofstream(folder_ / "cut.json") << result(Json::array()).dump().substr(0, 200);
  const std::string good = at("good.json");
  for (const std::string& arguments :
       {std::string(), std::string("op:sum"), at("missing.json"), at("newer.json"), at("digests.json"), at("cut.json"), at("hostile.json"), at("none.json"),
        good + " op:conv_fwd", good + " colour:red", good + " --threads 1,x", good + " --threads 2000", good + " --threads ''x", good + " --isa sse2",
        good + " --limit-s -1"}) {
    const auto refused = detbench("verify " + arguments);
    EXPECT_EQ(refused.code, 2) << arguments << ": " << refused.text;
    EXPECT_TRUE(refused.says("detbench: ")) << arguments << ": " << refused.text;
    EXPECT_LE(std::count(refused.text.begin(), refused.text.end(), '\n'), refused.says("none of its") ? 2 : 1) << refused.text;
  }
  EXPECT_TRUE(detbench("verify --help").says("Example: detbench verify "));
}

}  // namespace
