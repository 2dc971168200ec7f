#include "kernels/dropout/dropout.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kernels/dropout/mask.hpp"
#include "kernels/dropout/parts.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;
const Algorithm ours{"fixed_order", "philox", {}, {}};

TEST(Dropout, AgreesWithItsMaskAtAnyThreadCount) {
  const auto operations = make_dropout_operations();
  for (const bool backward : {false, true})
    for (const std::int64_t n : {1, 3, 4, 1023, 1024, 1025, 100003})
      for (const char* p : {"0", "0.2", "0.5", "0.999"}) {
        std::set<std::string> digests;
        for (const int threads : {1, 2, 5}) {
          PlanRunner runner(threads);
          const Problem problem = dropout_problem(backward, n, p, 7);
          ASSERT_TRUE(operations[backward]->check(problem)) << problem_id(problem);
          const auto found = runner.verify(*operations[backward], problem, ours, {InputFill::rounding, 5});
          EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
          digests.insert(to_hex(runner.digest()));
        }
        EXPECT_EQ(digests.size(), 1u);
      }
}

/// Runs ours over ones: what comes out is the mask.
std::vector<float> mask_of(bool backward, std::int64_t n, const std::string& p, std::uint64_t seed) {
  const auto operations = make_dropout_operations();
  const Problem problem = dropout_problem(backward, n, p, seed);
  PlanRunner runner;
  auto plan = operations[backward]->find_provider("fixed_order")->plan(problem, ours, runner.device()).value();
  std::vector<Tensor> ones{runner.filled(plan->inputs()[0], {FillSpec::Kind::constant, 1, "ones", 1.0, 1, 1.0})};
  EXPECT_TRUE(runner.run(*plan, *operations[backward], problem, {}, ones));
  const auto* out = static_cast<const float*>(runner.outputs()[0].region.data);
  return {out, out + n};
}

// The mask from Philox's definition alone, one element at a time.
TEST(Dropout, TheMaskIsAFunctionOfSeedAndIndex) {
  const std::int64_t n = 5003;
  const auto mask = mask_of(false, n, "0.25", 11);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t word = philox4x32(static_cast<std::uint64_t>(i / 4), 0, 0, stream_key(11, "dropout")).w[i % 4];
    ASSERT_EQ(mask[i], word < 0x40000000u ? 0.0f : static_cast<float>(1 / 0.75)) << i;
  }
  EXPECT_EQ(mask, mask_of(true, n, "0.25", 11));  // backward has the forward's mask
  EXPECT_NE(mask, mask_of(false, n, "0.25", 12));
  const auto longer = mask_of(false, 2 * n, "0.25", 11);
  EXPECT_TRUE(std::equal(mask.begin(), mask.end(), longer.begin()));  // whatever the length
}

TEST(Dropout, TheShareOfZerosIsP) {
  for (const auto& [text, p] : {std::pair{"0.1", 0.1}, {"0.5", 0.5}, {"0.8", 0.8}}) {
    const std::int64_t n = 200000;
    const auto mask = mask_of(false, n, text, 3);
    const auto zeros = static_cast<double>(std::count(mask.begin(), mask.end(), 0.0f));
    EXPECT_LT(std::abs(zeros - static_cast<double>(n) * p), 6 * std::sqrt(static_cast<double>(n) * p * (1 - p))) << text;
  }
  const auto none = mask_of(false, 1000, "0", 3);
  EXPECT_EQ(std::count(none.begin(), none.end(), 1.0f), 1000);
}

// The functor that a GPU runs, on the host.
TEST(Dropout, TheGpusFunctorGivesTheCpusBits) {
  for (const std::int64_t n : {1, 5, 4096, 4099}) {
    std::vector<float> ones(static_cast<std::size_t>(n), 1.0f), out(ones.size(), -1.0f);
    const dropout::Apply apply{dropout::Mask::of(0.3, 9), n, ones.data(), out.data()};
    for (std::uint32_t group = 0; group < static_cast<std::uint32_t>((n + 3) / 4); ++group) apply(group);
    EXPECT_EQ(out, mask_of(false, n, "0.3", 9)) << n;
  }
}

/// What the reference says to `output` when a library gave it.
Verification judge(const Problem& problem, const std::vector<float>& output, const char* provider) {
  const auto operations = make_dropout_operations();
  auto reference = operations[0]->reference(problem, {InputFill::rounding, 5}).value();
  auto copy = output;
  const auto n = static_cast<std::int64_t>(copy.size());
  const Tensor tensor{{"dst", DataType::f32, {n}, canonical_layout({n})}, {copy.data(), copy.size() * sizeof(float)}};
  return reference->check({provider, "seeded", {}, {}}, {&tensor, 1}).value();
}

TEST(Dropout, ALibrarysMaskHasToBeAMask) {
  const std::int64_t n = 10000;
  const Problem problem = dropout_problem(false, n, "0.5", 1);
  PlanRunner runner;
  const auto operations = make_dropout_operations();
  auto plan = operations[0]->find_provider("fixed_order")->plan(problem, ours, runner.device()).value();
  ASSERT_TRUE(runner.run(*plan, *operations[0], problem, {InputFill::rounding, 5}));
  const auto* x = static_cast<const float*>(runner.inputs()[0].region.data);
  std::vector<float> good(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) good[i] = i % 2 ? 0.0f : x[i] * 2;
  EXPECT_TRUE(judge(problem, good, "cudnn_legacy").passed);
  EXPECT_FALSE(judge(problem, good, "fixed_order").passed);  // ours has one mask
  auto wrong_value = good;
  wrong_value[2] *= 1.01f;
  EXPECT_FALSE(judge(problem, wrong_value, "cudnn_legacy").passed);
  auto too_many = good;
  for (std::int64_t i = 0; i < 700; ++i) too_many[i] = 0;
  const auto found = judge(problem, too_many, "cudnn_legacy");
  EXPECT_FALSE(found.passed);
  EXPECT_NE(found.reason.find("six standard deviations"), std::string::npos);
  const Problem never = dropout_problem(false, n, "0", 1);
  std::vector<float> all(x, x + n);
  EXPECT_TRUE(judge(never, all, "cudnn_legacy").passed);
  all[17] = 0;
  EXPECT_FALSE(judge(never, all, "cudnn_legacy").passed);
}

TEST(Dropout, RefusesWhatItDoesNotKnow) {
  const auto operations = make_dropout_operations();
  const std::pair<const char*, const char*> wrong[] = {{"n8_p1_seed1", "p"},   {"n8_p1.5_seed1", "p"},     {"n0_p0.5_seed1", "n"},
                                                       {"n8_p0.5", "seed"},    {"n8_p0.5.1_seed1", "p"},   {"n8_p0.5_seed1.5", "seed"},
                                                       {"n8_seed1_p0.5", "nN"}, {"n99999999999999_p0.5_seed1", "n"}};
  for (const auto& [shape, named] : wrong) {
    const auto status = operations[0]->check({"dropout_fwd", shape, "f32_f32_strict", "vector"});
    ASSERT_FALSE(status) << shape;
    EXPECT_NE(status.error().text.find(named), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
  }
  EXPECT_FALSE(operations[0]->check({"dropout_fwd", "n8_p0.5_seed1", "f32_f32_strict", "nhwc"}));
  EXPECT_FALSE(operations[0]->check({"dropout_bwd", "n8_p0.5_seed1", "f32_f32_strict", "vector"}));
  const auto id = case_id(dropout_problem(true, 64, "0.125", 3), ours);
  EXPECT_EQ(id, "dropout_bwd/n64_p0.125_seed3/f32_f32_strict/vector/fixed_order:philox");
  const auto parsed = parse_case_id(id);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(case_id(parsed->problem, parsed->algorithm), id);
}

TEST(Dropout, OtherProvidersSayWhyTheyAreNotOnACpu) {
  const auto operations = make_dropout_operations();
  PlanRunner runner;
  const auto offers = operations[0]->find_provider("cudnn_legacy")->offers(dropout_problem(false, 8, "0.5", 1), runner.device()).value();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].algorithm.name, "any");
  ASSERT_TRUE(offers[0].unsupported);
}

}  // namespace
}  // namespace detbench
