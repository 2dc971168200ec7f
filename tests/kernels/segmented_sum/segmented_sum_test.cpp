// Every segmented sum on the CPU against the reference, and the bits that the fixed orders promise.
#include "kernels/segmented_sum/segmented_sum.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "segment_runner.hpp"
#include "tests/kernels/reduction/exact_oracle.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using namespace segmented_sum;
using reduction::Isa;
using testing::by_segment;
using testing::named_run;
using testing::random_cuts;
using testing::run_on_cpu;
using testing::segmented_problem;
using testing::spread_values;

const char* const all_types[] = {"f32_f32_strict", "f64_f64_strict", "f16_f32_strict", "bf16_f32_strict"};

TEST(SegmentedSum, EveryOfferMeetsTheExactAndTheRoundingBound) {
  const auto operation = make_segmented_sum_operation();
  for (const char* types : all_types)
    for (const char* shape : {"n1_seg1", "n5000_seg7_equal", "n100_seg300_skewed", "n200000_seg40_skewed", "n140000_seg2", "n30000_seg500_skewed_wide",
                              "n30000_seg500_uniform", "n70000_seg3_skewed_cancelling"}) {
      const Problem problem = segmented_problem(shape, types);
      testing::PlanRunner runner(3);
      int ran = 0;
      for (const auto& provider : operation->providers()) {
        const auto offers = provider->offers(problem, runner.device()).value();
        for (const auto& offer : offers) {
          if (offer.unsupported) continue;
          for (const auto fill : {InputFill::exact, InputFill::rounding}) {
            const auto found = runner.verify(*operation, problem, offer.algorithm, {fill, 5});
            EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason;
            if (offer.algorithm.provider == "order_independent") {
              EXPECT_EQ(found.max_ulp, 0u) << case_id(problem, offer.algorithm);
            }
          }
          ++ran;
        }
      }
      EXPECT_GE(ran, 8) << problem_id(problem);
    }
}

/// Short, one-chunk, one-window and long segments, empty ones, ends on and beside borders.
const char* const typical[] = {"n1_seg1",           "n63_seg5",           "n4096_seg2",         "n5000_seg1",          "n131072_seg2", "n131073_seg2",
                               "n65536_seg1_equal", "n300000_seg4_skewed", "n9000_seg200_skewed", "n10_seg40_skewed"};

template <class S>
void expect_orders(const char* types) {
  using Sum = decltype(reduction::widened(S{}));
  for (const char* shape : typical) {
    const Problem problem = segmented_problem(shape, types);
    const auto p = parse_segmented(problem).value();
    const auto values = spread_values<S>(p.n);
    const auto cuts = random_cuts(p.segments);
    const auto slice = [&]<class Node>(Node, std::int64_t first, std::int64_t count) {
      std::vector<Node> part;
      for (std::int64_t i = first; i < first + count; ++i) part.push_back(reduction::widened(values[static_cast<std::size_t>(i)]));
      return part;
    };
    const auto tree = by_segment(p, cuts, [&](std::int64_t first, std::int64_t count) { return testing::naive_tree(slice(Sum{}, first, count)); });
    const auto wide = by_segment(p, cuts, [&](std::int64_t first, std::int64_t count) { return static_cast<Sum>(testing::naive_tree(slice(double{}, first, count))); });
    const auto in_order = by_segment(p, cuts, [&](std::int64_t first, std::int64_t count) {
      Sum sum = 0;
      for (const Sum value : slice(Sum{}, first, count)) sum += value;
      return sum;
    });
    for (const int threads : {1, 2, 3, 5}) {
      const auto got = [&](const char* algorithm) { return run_on_cpu(named_run(problem, algorithm, values, cuts), threads).at(0); };
      EXPECT_TRUE(got("fixed_order:segment_tree") == tree) << problem_id(problem) << ", " << threads << " threads";
      EXPECT_TRUE(got("fixed_order:row_in_order") == in_order) << problem_id(problem) << ", " << threads << " threads";
      if (sizeof(Sum) == 4) {
        EXPECT_TRUE(got("fixed_order:f64_accumulator") == wide) << problem_id(problem) << ", " << threads << " threads";
      }
    }
  }
}
TEST(SegmentedSum, FixedOrdersFollowTheirDefinitionsOnEveryThreadCount) {
  expect_orders<float>("f32_f32_strict");
  expect_orders<double>("f64_f64_strict");
  expect_orders<reduction::F16Bits>("f16_f32_strict");
  expect_orders<reduction::Bf16Bits>("bf16_f32_strict");
}

TEST(SegmentedSum, InstructionSetsAndThreadsCannotReachTheBits) {
  using Make = Result<SimplePlanParts> (*)(const SegmentedProblem&, Isa);
  for (const char* types : all_types)
    for (const auto& [name, make] : {std::pair<const char*, Make>{"segment_tree", segment_tree}, {"kahan", kahan}, {"f64_accumulator", f64_accumulator},
                                     {"exact_window", exact_window}, {"superaccumulator", superaccumulator}}) {
      const Problem problem = segmented_problem("n150000_seg9_skewed", types);
      const auto p = parse_segmented(problem).value();
      if (!make(p, Isa::baseline)) continue;  // f64_accumulator of f64
      const auto operation = make_segmented_sum_operation();
      std::set<std::string> digests;
      for (const Isa isa : reduction::available_isas())
        for (const int threads : {1, 3}) {
          SimplePlan plan(make(p, isa).value());
          testing::PlanRunner runner(threads);
          ASSERT_TRUE(runner.run(plan, *operation, problem, {}));
          digests.insert(to_hex(runner.digest()));
        }
      EXPECT_EQ(digests.size(), 1u) << name << " " << types;
    }
}

template <class S>
void expect_exact(const char* types) {
  using Sum = decltype(reduction::widened(S{}));
  for (const char* shape : {"n5000_seg1", "n140000_seg3_skewed", "n3000_seg50_skewed"})
    for (const int spread : {4, 40}) {
      const Problem problem = segmented_problem(shape, types);
      const auto p = parse_segmented(problem).value();
      const auto values = spread_values<S>(p.n, spread);
      const auto cuts = random_cuts(p.segments);
      const auto expected = by_segment(p, cuts, [&](std::int64_t first, std::int64_t count) {
        std::vector<Sum> part;
        for (std::int64_t i = first; i < first + count; ++i) part.push_back(reduction::widened(values[static_cast<std::size_t>(i)]));
        return part.empty() ? Sum(0) : Sum(0) + testing::exact_sum(part);
      });
      for (const char* algorithm : {"order_independent:exact_window", "order_independent:superaccumulator"})
        for (const int threads : {1, 3}) EXPECT_TRUE(run_on_cpu(named_run(problem, algorithm, values, cuts), threads).at(0) == expected) << problem_id(problem) << algorithm;
    }
}
TEST(SegmentedSum, OrderIndependentIsCorrectlyRounded) {
  expect_exact<float>("f32_f32_strict");
  expect_exact<double>("f64_f64_strict");
  expect_exact<reduction::Bf16Bits>("bf16_f32_strict");
}

TEST(SegmentedSum, ZerosInfinitiesAndNaNsHaveOneResult) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = -std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{-0.0f, -0.0f, infinity, 1.0f, infinity, -infinity, nan, 2.0f};
  const std::vector<std::uint32_t> expected{0, 0x7F800000u, 0x7FC00000u, 0x7FC00000u};
  for (const char* algorithm : {"fixed_order:segment_tree", "fixed_order:row_in_order", "fixed_order:kahan", "fixed_order:f64_accumulator",
                                "order_independent:exact_window", "order_independent:superaccumulator"}) {
    const auto got = testing::values_of<std::uint32_t>(run_on_cpu(named_run(segmented_problem("n8_seg4"), algorithm, values, random_cuts(4))).at(0));
    if (std::string_view(algorithm) == "fixed_order:kahan") continue;  // inf - inf inside a compensated lane is NaN
    EXPECT_EQ(got, expected) << algorithm;
  }
}

// One piece per segment: atomics meet nothing. One thread: they meet in ascending order, from +0.
TEST(SegmentedSum, AtomicsDifferInHowPartialSumsMeetAlone) {
  for (const char* shape : {"n60000_seg3", "n9000_seg200_skewed"}) {
    const Problem problem = segmented_problem(shape);
    const auto p = parse_segmented(problem).value();
    const auto values = spread_values<float>(p.n);
    const auto cuts = random_cuts(p.segments);
    EXPECT_TRUE(run_on_cpu(named_run(problem, "openmp:chunk_atomic", values, cuts), 3).at(0) == run_on_cpu(named_run(problem, "fixed_order:segment_tree", values, cuts)).at(0));
    EXPECT_TRUE(run_on_cpu(named_run(problem, "openmp:atomic_per_element", values, cuts), 1).at(0) ==
                run_on_cpu(named_run(problem, "fixed_order:row_in_order", values, cuts)).at(0));
  }
}

TEST(SegmentedSum, ContendedAtomicsGiveMoreThanOneResult) {
  const Problem problem = segmented_problem("n300000_seg3_skewed");
  const auto values = spread_values<float>(300000, 30);
  std::set<std::vector<std::uint32_t>> results;
  for (int run = 0; run < 40 && results.size() < 2; ++run)
    results.insert(testing::values_of<std::uint32_t>(run_on_cpu(named_run(problem, "openmp:atomic_per_element", values, random_cuts(3)), 4).at(0)));
  if (results.size() < 2) GTEST_SKIP() << "40 runs gave one result: nothing ran at the same time";
  EXPECT_GE(results.size(), 2u);
}

TEST(SegmentedSum, PlansSayHowManyPartialSumsMeet) {
  const auto operation = make_segmented_sum_operation();
  testing::PlanRunner runner(2);
  const auto notes = [&](const char* shape, const char* name) {
    return operation->find_provider("openmp")->plan(segmented_problem(shape), {"openmp", name, {}, {}}, runner.device()).value()->notes();
  };
  EXPECT_EQ(notes("n1000_seg10", "atomic_per_element").at("contention"), "100");
  EXPECT_FALSE(notes("n1000_seg10", "atomic_per_element").contains("cannot_show"));
  EXPECT_EQ(notes("n1000_seg10", "chunk_atomic").at("contention"), "1");
  EXPECT_TRUE(notes("n1000_seg10", "chunk_atomic").contains("cannot_show"));
  EXPECT_TRUE(notes("n1000_seg1", "thread_partials_atomic").contains("cannot_show"));  // two threads
  EXPECT_EQ(notes("n1000000_seg10_skewed", "chunk_atomic").at("contention"), "16");
}

TEST(SegmentedSum, BadProblemsAreRefusedInOneLine) {
  const auto operation = make_segmented_sum_operation();
  const std::pair<Problem, const char*> cases[] = {{segmented_problem("n5"), "seg"},
                                                   {segmented_problem("n0_seg1"), "n0"},
                                                   {segmented_problem("n5_seg0"), "seg0"},
                                                   {segmented_problem("n5_seg33554432"), "seg33554432"},
                                                   {segmented_problem("n5_seg2_lumpy"), "lumpy"},
                                                   {segmented_problem("n5_seg2_wide_skewed"), "skewed"},
                                                   {segmented_problem("n5_seg2", "f16_f16_strict"), "f16_f32_strict"},
                                                   {{"segmented_sum", "n5_seg2", "f32_f32_strict", "nchw"}, "vector"}};
  for (const auto& [problem, names] : cases) {
    const auto status = operation->check(problem);
    ASSERT_FALSE(status) << problem_id(problem);
    EXPECT_NE(status.error().text.find(names), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
  }
}

}  // namespace
}  // namespace detbench
