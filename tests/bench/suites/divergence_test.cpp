#include "bench/suites/divergence.hpp"

#include <gtest/gtest.h>

#include "bench/suites/registry.hpp"

namespace detbench {
namespace {

TEST(Divergence, StepsAreComparedEverFurtherApart) {
  EXPECT_EQ(compared_steps(1), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(compared_steps(8), (std::vector<std::uint32_t>{1, 2, 3, 5, 8}));
  EXPECT_EQ(compared_steps(10), (std::vector<std::uint32_t>{1, 2, 3, 5, 8, 10}));
  EXPECT_TRUE(compared_steps(0).empty());
}

DivergenceRequest request(const char* a, const char* b, int threads_a, int threads_b) {
  DivergenceRequest r;
  r.question = "test";
  r.problem = *parse_problem_id("train_step_mobilenet_v2/alpha0.35_px32_mb2_classes10/f32_f32_strict/nhwc");
  r.a.provider = r.b.provider = "network";
  r.a.name = a, r.b.name = b;
  r.configuration_a.threads = threads_a, r.configuration_b.threads = threads_b;
  r.steps = 3;
  r.limit_s = 3600;  // a loaded machine must not cut the comparison short
  r.inputs = {InputFill::rounding, 1};
  return r;
}

TEST(Divergence, ARequestSurvivesTheChannel) {
  auto r = request("fastest", "fixed_order", 2, 1);
  r.load = "spinners", r.limit_s = 3, r.byte_budget = 12345;
  const auto back = read_divergence_request(to_json(r));
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(to_json(*back).dump(), to_json(r).dump());
  EXPECT_FALSE(read_divergence_request({{"problem", 3}}));
}

TEST(Divergence, FixedOrderDoesNotPartFromItselfWithOtherThreadsOrUnderLoad) {
  const auto registry = make_registry({}, {});
  auto r = request("fixed_order", "fixed_order", 2, 1);
  r.load = "spinners";
  const auto found = measure_divergence(registry, r, make_cpu_device);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->steps, 3U);
  EXPECT_FALSE(found->first_step);
  EXPECT_FALSE(found->first_op);
  ASSERT_EQ(found->points.size(), 3U);
  for (const auto& point : found->points) {
    EXPECT_EQ(point.differing, 0U);
    EXPECT_EQ(point.l2, 0);
    EXPECT_GT(point.elements, 100'000U);
    EXPECT_EQ(point.loss_a, point.loss_b);
    ASSERT_TRUE(point.churn);
    EXPECT_EQ(*point.churn, 0);
  }
  EXPECT_EQ(found->a.threads, 2);
  EXPECT_EQ(found->b.threads, 1);
  EXPECT_EQ(found->b.load, "spinners");
}

TEST(Divergence, TwoOrdersOfAdditionPartAndTheDifferenceGrows) {
  const auto registry = make_registry({}, {});
  const auto* step = registry.find("train_step_mobilenet_v2");
  ASSERT_NE(step, nullptr);
  const auto found = measure_divergence(registry, request("library_heuristic", "fixed_order", 2, 2), make_cpu_device);
  ASSERT_TRUE(found) << found.error().text;
  if (!found->first_step) GTEST_SKIP() << "this build's library adds as our fixed order does (no oneDNN)";
  EXPECT_EQ(*found->first_step, 1U);
  ASSERT_TRUE(found->first_op) << found->note;
  EXPECT_EQ(found->first_op->step, 1U);
  EXPECT_EQ(found->first_op->phase, "forward") << "the first op that adds is the stem's convolution or what follows it";
  EXPECT_NE(found->first_op->algorithm_a, found->first_op->algorithm_b);
  ASSERT_EQ(found->points.size(), 3U);
  EXPECT_GT(found->points[0].differing, 0U);
  EXPECT_GT(found->points[0].max_ulp, 0U);
  EXPECT_GT(found->points[2].relative_l2, found->points[0].relative_l2);
}

TEST(Divergence, TimeAndBytesAreBounded) {
  const auto registry = make_registry({}, {});
  auto r = request("fixed_order", "fixed_order", 1, 1);
  r.steps = 50, r.limit_s = 0;
  auto found = measure_divergence(registry, r, make_cpu_device);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->steps, 1U);
  EXPECT_NE(found->note.find("50"), std::string::npos) << found->note;
  r.steps = 3, r.limit_s = 60, r.byte_budget = 1;
  found = measure_divergence(registry, r, make_cpu_device);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->points.empty());
  EXPECT_NE(found->note.find("bytes"), std::string::npos) << found->note;
}

TEST(Divergence, WhatCannotBeComparedSaysWhy) {
  const auto registry = make_registry({}, {});
  auto r = request("no_such_policy", "fixed_order", 1, 1);
  auto found = measure_divergence(registry, r, make_cpu_device);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().text.find("no_such_policy"), std::string::npos);
  r = request("fixed_order", "fixed_order", 1, 1);
  r.load = "earthquakes";
  EXPECT_FALSE(measure_divergence(registry, r, make_cpu_device));
  r.problem = *parse_problem_id("sum/n4096/f32_f32_strict/vector");
  EXPECT_FALSE(measure_divergence(registry, r, make_cpu_device));
}

TEST(Divergence, ARunAsksOfTheStepsThatAreOk) {
  const std::string problem = "train_step_mobilenet_v2/alpha0.35_px32_mb2_classes10/f32_f32_strict/nhwc";
  std::vector<Record> records;
  for (const char* algorithm : {"network:fastest@steps=3", "network:fixed_order@steps=3", "network:fixed_order@exec=graph,steps=3"}) {
    Record record;
    record.suite = "train_step", record.id = problem + "/" + algorithm, record.status = RunStatus::ok;
    records.push_back(record);
  }
  const auto asked = divergence_questions(records, "cpu", 2, "quick", 1);
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(asked[0].configuration_b.threads, 1);
  EXPECT_TRUE(asked[0].a.options.empty());
  records[1].status = RunStatus::crashed;
  EXPECT_EQ(divergence_questions(records, "cpu", 2, "quick", 1).size(), 2U) << "nothing is asked of an arm that crashed";
  EXPECT_TRUE(divergence_questions({}, "cpu", 2, "quick", 1).empty());
  EXPECT_EQ(divergence_questions(records, "cpu", 1, "quick", 1)[0].configuration_b.threads, 2) << "one thread is compared with two";
}

}  // namespace
}  // namespace detbench
