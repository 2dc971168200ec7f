// What is wrong is named by path and key, whatever it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "bench/records/json_text.hpp"
#include "bench/records/record.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::function<void(Json&)>& damage) {
  static const Json whole = to_json(synthetic::make({}));
  Json json = whole;
  damage(json);
  const auto result = read_result(json);
  return result ? "accepted" : result.error().text;
}

TEST(Refusal, anUntouchedFileIsAccepted) {
  EXPECT_EQ(refusal([](Json&) {}), "accepted");
}

TEST(Refusal, namesThePathOfAWrongWord) {
  EXPECT_THAT(
      refusal([](Json& j) { j["records"][3]["agreement"][0]["verdict"] = "deterministic"; }),
      AllOf(StartsWith("records[3].agreement[0].verdict: is 'deterministic'; it should be one of no_difference"),
            HasSubstr("not_measured")));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["status"] = 3; }),
              StartsWith("records[0].status: is the number 3"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][2]["claim"]["coverage"][1] = "everywhere"; }),
              StartsWith("records[2].claim.coverage[1]: is 'everywhere'"));
}

TEST(Refusal, namesAMissingKey) {
  for (const char* key :
       {"schema", "schema_version", "digest_version", "created_utc", "profile", "records", "manifest", "controls"})
    EXPECT_EQ(refusal([&](Json& j) { j.erase(key); }), std::string(key) + ": is missing");
  EXPECT_EQ(refusal([](Json& j) { j["records"][1]["timing"]["samples"][4].erase("block"); }),
            "records[1].timing.samples[4].block: is missing");
}

TEST(Refusal, wrongTypesAndBounds) {
  EXPECT_THAT(refusal([](Json& j) { j["complete"] = "yes"; }),
              StartsWith("complete: is 'yes'; it should be true or false"));
  EXPECT_THAT(refusal([](Json& j) { j["records"] = 7; }), StartsWith("records: is the number 7; it should be a list"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0] = nullptr; }),
              StartsWith("records[0]: is null; it should be an object"));
  EXPECT_THAT(refusal([](Json& j) { j["elapsed_s"] = -1; }),
              StartsWith("elapsed_s: is the number -1; it should be a number that is not"));
  EXPECT_THAT(refusal([](Json& j) { j["elapsed_s"] = nullptr; }), StartsWith("elapsed_s: is null"));
  EXPECT_THAT(refusal([](Json& j) { j["profile"]["blocks"] = -1; }),
              StartsWith("profile.blocks: is the number -1; it should be a whole"));
  EXPECT_THAT(refusal([](Json& j) { j["profile"]["blocks"] = 1.5; }), StartsWith("profile.blocks: is the number 1.5"));
  EXPECT_THAT(refusal([](Json& j) { j["profile"]["blocks"] = 4294967296; }),
              StartsWith("profile.blocks: is the number 4294967296"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["agreement"][0]["bound"] = 1.5; }),
              StartsWith("records[0].agreement[0].bound"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["notes"]["layout"] = 5; }),
              StartsWith("records[0].notes.layout: is the number 5"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["reason"] = std::string(100'000, 'x'); }),
              StartsWith("records[0].reason: has 100000"));
  EXPECT_THAT(refusal([](Json& j) { j["created_utc"] = "yesterday"; }), StartsWith("created_utc: is 'yesterday'"));
}

TEST(Refusal, digestsAndBitPatterns) {
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["output_digest"] = "xyz"; }),
              StartsWith("records[0].output_digest: is 'xyz'; it should be 32"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["agreement"][0]["stages"][0]["distinct"][0] = "ABC"; }),
              StartsWith("records[0].agreement[0].stages[0].distinct: has 'ABC'"));
  EXPECT_THAT(refusal([](Json& j) { j["records"][0]["agreement"][3]["witness"]["run_bits"] = "3f800000"; }),
              StartsWith("records[0].agreement[3].witness.run_bits: is '3f800000'"));
}

TEST(Refusal, otherSchemasAndNewerVersions) {
  EXPECT_THAT(refusal([](Json& j) { j["schema"] = "nvbench"; }),
              StartsWith("schema: is 'nvbench'; a detbench result file says"));
  EXPECT_THAT(refusal([](Json& j) { j["schema_version"] = 2; }), HasSubstr("newer than this detbench reads"));
  EXPECT_THAT(refusal([](Json& j) { j["schema_version"] = 0; }), StartsWith("schema_version: is 0"));
  EXPECT_THAT(refusal([](Json& j) { j["digest_version"] = 99; }), StartsWith("digest_version: is 99"));
  const auto list = read_result(Json::array());
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().text, "the file: is a list; it should be an object");
}

TEST(Refusal, unknownKeysAreLeftAlone) {
  EXPECT_EQ(refusal([](Json& j) { j["records"][0]["a_later_field"] = 1; }), "accepted");
}

TEST(ParseJson, hostileText) {
  const auto reason = [](const std::string& text) {
    const auto result = parse_json(text, "x.json");
    return result ? std::string("accepted") : result.error().text;
  };
  EXPECT_THAT(reason(""), StartsWith("x.json: is empty"));
  EXPECT_THAT(reason(" \n\t "), StartsWith("x.json: is empty"));
  EXPECT_THAT(reason("{\"a\": "), StartsWith("x.json: is not valid JSON or was cut off"));
  EXPECT_THAT(reason("{\"a\": NaN}"), StartsWith("x.json: is not valid JSON"));
  EXPECT_THAT(reason("{\"a\": 1e999}"), StartsWith("x.json: is not valid JSON"));
  EXPECT_THAT(reason("{\"a\": 1} trailing"), StartsWith("x.json: is not valid JSON"));
  EXPECT_THAT(reason("\x7f"
                     "ELF" +
                     std::string(1, '\0')),
              StartsWith("x.json: holds a zero byte"));
  EXPECT_THAT(reason(std::string(1'000'000, '[')), StartsWith("x.json: nested deeper than 64"));
  EXPECT_THAT(reason("\"\xff\xfe\""), StartsWith("x.json: is not valid JSON"));
  std::string wide = "{\"k0\":0";
  for (int i = 1; i < 70'000; ++i) wide += ",\"k" + std::to_string(i) + "\":0";
  EXPECT_THAT(reason(wide + "}"), HasSubstr("more than 65536 members"));
  EXPECT_EQ(reason("{\"brackets in a string\": \"[[[[{{{{ \\\" [[[\"}"), "accepted");
  for (const std::string& text : {std::string("{"), std::string("}"), std::string("]]]"), std::string("\"\\")})
    EXPECT_THAT(reason(text), StartsWith("x.json: is not valid JSON")) << text;
}

}  // namespace
}  // namespace detbench
