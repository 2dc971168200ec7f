// record.hpp, results/schema-v1.json and results/README.md say the same: every key that is written has its place in
// both, and neither names keys that nobody writes.
#include <gtest/gtest.h>

#include <set>

#include "bench/records/json_text.hpp"
#include "bench/records/record.hpp"
#include "bench/records/words.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench {
namespace {

Json schema() {
  const auto text = read_whole_file(std::string(DETBENCH_RESULTS_DIR) + "/schema-v1.json");
  EXPECT_TRUE(text);
  auto json = parse_json(text.value_or("{}"), "schema");
  EXPECT_TRUE(json) << json.error().text;
  return json.value_or(Json::object());
}

std::set<std::string> keys(const Json& object) {
  std::set<std::string> names;
  for (const auto& [key, value] : object.items()) names.insert(key);
  return names;
}

/// What only a GPU's samples have; files of a CPU, and older ones, lack it.
Sample sample_of_a_gpu() {
  Sample sample;
  sample.sm_clock_hz = 1.98e9;
  sample.launches_exposed = true;
  return sample;
}

Record record_of_a_reduction() {
  Record record;
  record.accuracy = Accuracy{};
  return record;
}

ProfileInfo profile_of_a_gpu() {
  ProfileInfo profile;
  profile.search = "t0,t1";
  return profile;
}

/// Every struct as its writer gives it, under the name of its definition in the schema.
std::map<std::string, Json> written() {
  return {{"claim", to_json(Claim{})},
          {"verification", to_json(Verification{})},
          {"accuracy", to_json(Accuracy{})},
          {"witness", to_json(Witness{})},
          {"stage", to_json(Stage{})},
          {"scope_result", to_json(ScopeResult{})},
          {"sample", to_json(sample_of_a_gpu())},
          {"timing", to_json(Timing{})},
          {"step_op", to_json(StepOp{})},
          {"train_step", to_json(TrainStepFacts{})},
          {"record", to_json(record_of_a_reduction())},
          {"comparison", to_json(ComparisonInfo{})},
          {"control", to_json(ControlResult{})},
          {"profile", to_json(profile_of_a_gpu())},
          {"struck_pick", to_json(StruckPick{})},
          {"policy", to_json(PolicyInfo{})},
          {"divergence_side", to_json(DivergenceSide{})},
          {"divergence_point", to_json(DivergencePoint{})},
          {"divergence_op", to_json(DivergenceOp{})},
          {"divergence", to_json(Divergence{})},
          {"ablation_replica", to_json(AblationReplica{})},
          {"ablation_row", to_json(AblationRow{})},
          {"ablation", to_json(Ablation{})}};
}

TEST(FieldGuide, theSchemaHasExactlyTheKeysThatAreWritten) {
  const Json s = schema();
  for (const auto& [name, json] : written()) {
    ASSERT_TRUE(s["$defs"].contains(name)) << name;
    EXPECT_EQ(keys(s["$defs"][name]["properties"]), keys(json)) << name;
    const auto required = name == "sample"    ? to_json(Sample{}).size()
                          : name == "profile" ? to_json(ProfileInfo{}).size()
                          : name == "record"  ? to_json(Record{}).size()
                                              : json.size();
    EXPECT_EQ(s["$defs"][name]["required"].size(), required) << name;
  }
  EXPECT_EQ(s["$defs"].size(), written().size());
  EXPECT_EQ(keys(s["properties"]), keys(to_json(synthetic::make({}))));
}

TEST(FieldGuide, theReadmeExplainsEveryKey) {
  const auto readme = read_whole_file(std::string(DETBENCH_RESULTS_DIR) + "/README.md");
  ASSERT_TRUE(readme);
  auto all = written();
  all["top level"] = to_json(synthetic::make({}));
  for (const auto& [name, json] : all)
    for (const auto& key : keys(json))
      EXPECT_NE(readme->find("`" + key + "`"), std::string::npos) << name << "." << key;
}

template <class E, std::size_t N>
Json word_list(const std::array<E, N>& values) {
  Json list = Json::array();
  for (const auto value : values) list.push_back(to_text(value));
  return list;
}

TEST(FieldGuide, theSchemaHasExactlyTheWordsOfTheEnumerations) {
  const Json s = schema()["$defs"];
  EXPECT_EQ(s["record"]["properties"]["status"]["enum"], word_list(records::all_run_statuses));
  EXPECT_EQ(s["record"]["properties"]["claim_verdict"]["enum"], word_list(records::all_claim_verdicts));
  EXPECT_EQ(s["record"]["properties"]["requested"]["enum"], word_list(records::all_guarantees));
  EXPECT_EQ(s["scope_result"]["properties"]["verdict"]["enum"], word_list(records::all_scope_verdicts));
  EXPECT_EQ(s["scope_result"]["properties"]["scope"]["enum"], word_list(all_scopes));
  // A word past the last one of the list would be missing from every file: to_text answers such values with the first.
  EXPECT_EQ(to_text(static_cast<RunStatus>(records::all_run_statuses.size())), to_text(RunStatus::ok));
  EXPECT_EQ(to_text(static_cast<ScopeVerdict>(records::all_scope_verdicts.size())),
            to_text(ScopeVerdict::no_difference));
  EXPECT_EQ(to_text(static_cast<ClaimVerdict>(records::all_claim_verdicts.size())), to_text(ClaimVerdict::none));
}

}  // namespace
}  // namespace detbench
