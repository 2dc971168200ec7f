#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bench/records/record.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench {
namespace {

Json reparsed(const Json& json) { return Json::parse(json.dump()); }

TEST(RoundTrip, wholeFileKeepsEveryField) {
  const auto file = synthetic::make({});
  const Json written = to_json(file);
  const auto again = read_result(reparsed(written));
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(to_json(*again).dump(), written.dump());
  ASSERT_EQ(again->records.size(), file.records.size());
  EXPECT_EQ(again->records[0].timing->samples[3].elapsed_s, file.records[0].timing->samples[3].elapsed_s);
}

TEST(RoundTrip, doublesKeepEveryBit) {
  const double values[] = {
      0.1, 1.0 / 3, 5e-324, 2.2250738585072014e-308, std::numeric_limits<double>::max(), 1e-9 / 7, 123456789.123456789};
  for (const double value : values) {
    Sample s;
    s.elapsed_s = value;
    const auto again = read_sample(reparsed(to_json(s)), "sample");
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->elapsed_s, value);
  }
}

TEST(RoundTrip, wholeNumbersKeepEveryBit) {
  Record r;
  r.workspace_bytes = std::numeric_limits<std::uint64_t>::max();
  ComparisonInfo c;
  c.schedule_seed = 0xfedcba9876543210ULL;
  Sample s;
  s.involuntary_switches = -1;
  EXPECT_EQ(read_record(reparsed(to_json(r)), "")->workspace_bytes, r.workspace_bytes);
  EXPECT_EQ(read_comparison_info(reparsed(to_json(c)), "")->schedule_seed, c.schedule_seed);
  EXPECT_EQ(read_sample(reparsed(to_json(s)), "")->involuntary_switches, -1);
}

TEST(RoundTrip, bitPatternsAreHexStrings) {
  Witness w;
  w.baseline_bits = 0x3f800000;
  w.run_bits = 0xffffffffffffffffULL;
  const Json json = to_json(w);
  EXPECT_EQ(json["baseline_bits"], "0x3f800000");
  EXPECT_EQ(read_witness(reparsed(json), "")->run_bits, w.run_bits);
}

TEST(RoundTrip, unknownIsNull) {
  const Json json = to_json(Record{});
  for (const char* key : {"exact_equal", "verification", "timing", "plan_s", "workspace_bytes", "train_step"})
    EXPECT_TRUE(json[key].is_null()) << key;
  EXPECT_TRUE(json["notes"].is_object());
  const auto again = read_record(reparsed(json), "");
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_FALSE(again->exact_equal.has_value());
  EXPECT_FALSE(again->timing.has_value());
}

// Files that were written before reductions had it must read on; those that have it keep every number.
TEST(RoundTrip, accuracyIsThereOrNot) {
  Record record;
  EXPECT_FALSE(to_json(record).contains("accuracy"));
  EXPECT_FALSE(read_record(reparsed(to_json(record)), "")->accuracy);
  record.accuracy = Accuracy{2.25, 1e-7, 33.5, 0.5, 2.25};
  const auto again = read_record(reparsed(to_json(record)), "");
  ASSERT_TRUE(again) << again.error().text;
  ASSERT_TRUE(again->accuracy);
  EXPECT_EQ(again->accuracy->error_ulp, 2.25);
  EXPECT_EQ(again->accuracy->relative_error, 1e-7);
  EXPECT_EQ(again->accuracy->condition, 33.5);
  EXPECT_EQ(again->accuracy->error_ulp_min, 0.5);
  EXPECT_EQ(again->accuracy->error_ulp_max, 2.25);
  auto crossed = to_json(record);
  crossed["accuracy"]["error_ulp_min"] = 3;
  const auto refused = read_record(reparsed(crossed), "records[0]");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "records[0].accuracy.error_ulp_min: is larger than error_ulp_max");
}

// A wrong arm's error and a diverged loss are infinite or NaN by right; JSON has neither.
TEST(RoundTrip, whatIsNotFiniteBecomesNull) {
  Verification v;
  v.relative_l2 = std::numeric_limits<double>::quiet_NaN();
  v.bound_ratio = std::numeric_limits<double>::infinity();
  TrainStepFacts t;
  t.loss = {1.0, std::numeric_limits<double>::infinity()};
  const auto v2 = read_verification(reparsed(to_json(v)), "");
  ASSERT_TRUE(v2) << v2.error().text;
  EXPECT_TRUE(std::isnan(v2->relative_l2));
  EXPECT_TRUE(std::isnan(v2->bound_ratio));
  EXPECT_EQ(to_json(t)["loss"].dump(), "[1.0,null]");
  EXPECT_EQ(read_train_step_facts(reparsed(to_json(t)), "")->loss.size(), 2u);
}

TEST(RoundTrip, everyWordOfEveryEnumeration) {
  for (int i = 0; i < 7; ++i) {
    Record r;
    r.status = static_cast<RunStatus>(i);
    EXPECT_EQ(read_record(reparsed(to_json(r)), "")->status, r.status);
  }
  for (int i = 0; i < 6; ++i) {
    ScopeResult s;
    s.verdict = static_cast<ScopeVerdict>(i);
    for (const auto scope : all_scopes) {
      s.scope = scope;
      EXPECT_EQ(read_scope_result(reparsed(to_json(s)), "")->scope, scope);
      EXPECT_EQ(read_scope_result(reparsed(to_json(s)), "")->verdict, s.verdict);
    }
  }
}

}  // namespace
}  // namespace detbench
