#include "kernels/pooling/pooling.hpp"

#include <gtest/gtest.h>

#include <set>

#include "kernels/tensor/compare.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

struct Size {
  std::int64_t n, c, h, w;
};
const Size sizes[] = {{2, 37, 3, 3}, {1, 1, 1, 1}, {3, 130, 7, 5}};
const char* const layouts[] = {"nhwc", "nchw", "nchw16c", "nchw8c"};

TEST(GlobalAveragePooling, AgreesWithTheReferenceWithTheSameBitsEverywhere) {
  const auto operations = make_pooling_operations();
  for (bool backward : {false, true})
    for (const auto& s : sizes) {
      std::set<std::string> digests;
      for (const char* layout : layouts)
        for (int threads : {1, 3}) {
          const Problem problem = global_avg_pool_problem(backward, s.n, s.c, s.h, s.w, layout);
          for (auto fill : {InputFill::wide, InputFill::rounding}) {
            PlanRunner runner(threads);
            const auto found = runner.verify(*operations[backward], problem, {"fixed_order", "lanes", {}, {}}, {fill, 5});
            EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
            if (fill == InputFill::rounding) digests.insert(to_hex(runner.digest()));
          }
        }
      EXPECT_EQ(digests.size(), 1u);
    }
}

TEST(GlobalAveragePooling, AtomicsAgreeWithTheReferenceAndSayHowManyMeet) {
  const auto operations = make_pooling_operations();
  const Algorithm atomic{"openmp", "chunk_atomic", {}, {}};
  for (const auto& [s, parts] : {std::pair{Size{2, 37, 3, 3}, 1}, {Size{3, 130, 7, 5}, 3}, {Size{1, 20, 50, 50}, 63}})
    for (const char* layout : layouts) {
      const Problem problem = global_avg_pool_problem(false, s.n, s.c, s.h, s.w, layout);
      PlanRunner runner(3);
      for (auto fill : {InputFill::wide, InputFill::rounding}) {
        const auto found = runner.verify(*operations[0], problem, atomic, {fill, 5});
        EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
      }
      const auto notes = operations[0]->find_provider("openmp")->plan(problem, atomic, runner.device()).value()->notes();
      EXPECT_EQ(notes.at("contention"), std::to_string(parts));
      if (parts > 1) continue;
      const auto alone = to_hex(runner.digest());  // one part: the fixed order
      ASSERT_TRUE(runner.verify(*operations[0], problem, {"fixed_order", "lanes", {}, {}}, {InputFill::rounding, 5}).passed);
      EXPECT_EQ(to_hex(runner.digest()), alone);
    }
  EXPECT_EQ(operations[1]->find_provider("openmp"), nullptr);  // backward nothing is added up
}

// <pool(x), y> = <x, pool'(y)>: the two directions are transposes of each other.
TEST(GlobalAveragePooling, BackwardIsTheTransposeOfForward) {
  const auto operations = make_pooling_operations();
  for (const char* layout : layouts) {
    PlanRunner forward, backward;
    const Problem f = global_avg_pool_problem(false, 2, 24, 5, 3, layout), b = global_avg_pool_problem(true, 2, 24, 5, 3, layout);
    ASSERT_TRUE(forward.verify(*operations[0], f, {"fixed_order", "lanes", {}, {}}, {}).passed);
    ASSERT_TRUE(backward.verify(*operations[1], b, {"fixed_order", "lanes", {}, {}}, {}).passed);
    double left = 0, right = 0;
    for (std::int64_t i = 0; i < 2 * 24; ++i) left += element_as_double(forward.outputs()[0], i) * element_as_double(backward.inputs()[0], i);
    for (std::int64_t i = 0; i < 2 * 24 * 15; ++i) right += element_as_double(forward.inputs()[0], i) * element_as_double(backward.outputs()[0], i);
    EXPECT_NEAR(left, right, 1e-6);
  }
}

TEST(GlobalAveragePooling, RefusesWhatItDoesNotKnow) {
  const auto operations = make_pooling_operations();
  EXPECT_FALSE(operations[0]->check({"global_avg_pool_fwd", "mb8_c8_h0_w1", "f32_f32_strict", "nhwc"}));
  EXPECT_NE(operations[0]->check({"global_avg_pool_fwd", "mb8_c8_h1_w1", "f32_f32_strict", "nwhc"}).error().text.find("nwhc"), std::string::npos);
}

}  // namespace
}  // namespace detbench
