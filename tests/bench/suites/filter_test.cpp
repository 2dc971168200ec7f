#include "bench/suites/filter.hpp"

#include <gtest/gtest.h>

#include "bench/suites/profile.hpp"
#include "bench/suites/sweep_run.hpp"

namespace detbench {
namespace {

const Problem wgrad{"conv_wgrad", "mb2_g1_ic16", "f32_f32_strict", "nhwc"};
const std::vector<std::string> used{"mobilenet_v2_alpha1.0:block_1_expand"};

bool accepts(const std::string& text) {
  auto filter = Filter::parse({text});
  EXPECT_TRUE(filter) << text;
  return filter && filter->accepts("convolution", wgrad, used);
}

TEST(Filter, TermsAllHold) {
  for (const char* yes : {"", "op:conv_wgrad", "op:conv_*", "suite:conv*", "dtype:f32", "dtype:f32_f32_strict", "layout:nhwc",
                          "model:mobilenet_v2", "model:mobilenet_v2_alpha1.0", "layer:block_1_*", "op:conv_wgrad layout:n* layer:*expand",
                          "provider:nothing"})
    EXPECT_TRUE(accepts(yes)) << yes;
  for (const char* no : {"op:conv_fwd", "op:conv", "dtype:bf16", "layout:nchw", "model:mobilenet", "layer:block_1", "op:conv_wgrad layout:nchw"})
    EXPECT_FALSE(accepts(no)) << no;
}

TEST(Filter, ArmsAreChosenByProviderAndAlgorithm) {
  auto filter = Filter::parse({"provider:onednn", "algorithm:jit*"});
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->accepts(wgrad, {"onednn", "jit_1x1:avx2", {}, {}}));
  EXPECT_FALSE(filter->accepts(wgrad, {"onednn", "ref:any", {}, {}}));
  EXPECT_FALSE(filter->accepts(wgrad, {"fixed_order", "jit", {}, {}}));
}

TEST(Filter, AnIdNamesOneProblemOrOneArm) {
  auto problem = Filter::parse({problem_id(wgrad)});
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->problem(), wgrad);
  EXPECT_FALSE(problem->algorithm());
  auto arm = Filter::parse({problem_id(wgrad) + "/onednn:jit:avx2@formats=any"});
  ASSERT_TRUE(arm);
  EXPECT_TRUE(arm->accepts(wgrad, {"onednn", "jit:avx2", {{"formats", "any"}}, {}}));
  EXPECT_FALSE(arm->accepts(wgrad, {"onednn", "jit:avx2", {}, {}}));
}

TEST(Filter, NonsenseIsRefusedInOneLineThatNamesIt) {
  for (const char* bad : {"nonsense", "colour:red", "op:", ":x", "a/b", "a/b/c/d/e/f", "conv/x/y/z x/y/z/w"}) {
    const auto filter = Filter::parse({bad});
    ASSERT_FALSE(filter) << bad;
    EXPECT_EQ(filter.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(filter.error().text.find('\n'), std::string::npos);
  }
}

TEST(Profile, NamesAreKnownAndNonsenseIsNot) {
  for (const char* name : {"smoke", "quick", "standard", "full"}) {
    const auto profile = find_profile(name, "cpu");
    ASSERT_TRUE(profile);
    EXPECT_EQ(profile->info.name, name);
    EXPECT_GE(profile->info.blocks, 5U);
  }
  EXPECT_FALSE(find_profile("quickest", "cpu"));
}

TEST(Replay, WordsSurviveAShell) {
  EXPECT_EQ(shell_quote("conv/x@a=b,c=d"), "conv/x@a=b,c=d");
  EXPECT_EQ(shell_quote("a b"), "'a b'");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote("x[1];2"), "'x[1];2'");
  EXPECT_EQ(shell_quote(""), "''");
}

}  // namespace
}  // namespace detbench
