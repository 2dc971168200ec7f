#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bench/suites/ceiling_problems.hpp"
#include "bench/suites/registry.hpp"
#include "bench/suites/suites.hpp"

namespace detbench {
namespace {

class EveryProfile : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

// Suites pose problems as texts; an operation that does not understand one would be found out in the middle of a sweep.
TEST_P(EveryProfile, PosesProblemsThatOperationsUnderstand) {
  const auto [name, backend] = GetParam();
  const auto profile = find_profile(name, backend);
  ASSERT_TRUE(profile);
  const auto registry = make_registry({});
  const auto planned = plan_comparisons(registry, *profile, *Filter::parse({}));
  ASSERT_TRUE(planned) << planned.error().text;
  std::set<std::string> seen, suites;
  for (const auto& comparison : *planned) {
    const auto* operation = registry.find(comparison.problem.op);
    ASSERT_NE(operation, nullptr) << comparison.problem.op;
    const auto good = operation->check(comparison.problem);
    EXPECT_TRUE(good) << problem_id(comparison.problem) << ": " << good.error().text;
    EXPECT_TRUE(seen.insert(problem_id(comparison.problem)).second) << "posed twice: " << problem_id(comparison.problem);
    EXPECT_NE(comparison.suite, "other") << comparison.problem.op << " belongs to no suite";
    suites.insert(comparison.suite);
  }
  EXPECT_TRUE(suites.contains("convolution"));
  // Every operation is swept by the widest profile; controls and whole networks are planned apart.
  if (std::string(name) != "full") return;
  const auto networks = plan_networks(registry, *profile, *Filter::parse({}));
  ASSERT_TRUE(networks) << networks.error().text;
  std::set<std::string> ops;
  for (const auto* list : {&*planned, &*networks})
    for (const auto& comparison : *list) ops.insert(comparison.problem.op);
  for (const auto& operation : registry.operations()) {
    const std::string op(operation->op());
    if (op == "control") continue;
    EXPECT_TRUE(ops.contains(op)) << op << " is in no suite";
  }
}

INSTANTIATE_TEST_SUITE_P(Suites, EveryProfile,
                         ::testing::Values(std::pair{"smoke", "cpu"}, std::pair{"quick", "cpu"}, std::pair{"standard", "cpu"},
                                           std::pair{"full", "cpu"}, std::pair{"smoke", "cuda"}, std::pair{"quick", "cuda"},
                                           std::pair{"standard", "cuda"}, std::pair{"full", "cuda"}),
                         [](const auto& info) { return std::string(info.param.first) + "_" + info.param.second; });

// standard and full sweep what EfficientNet-B0 poses beside MobileNetV2: 5x5 depthwise layers, swish, squeeze-excite.
TEST(Suites, TheLayersOfEfficientNetAreSwept) {
  const auto registry = make_registry({});
  for (const char* backend : {"cpu", "cuda"})
    for (const char* name : {"standard", "full"}) {
      const auto planned = plan_comparisons(registry, *find_profile(name, backend), *Filter::parse({"model:efficientnet_b0"}));
      ASSERT_TRUE(planned) << planned.error().text;
      std::set<std::string> ops;
      bool saw_wide_window = false;
      for (const auto& comparison : *planned) {
        ops.insert(comparison.problem.op);
        saw_wide_window = saw_wide_window || comparison.problem.shape.find("_kh5_") != std::string::npos;
        EXPECT_TRUE(std::any_of(comparison.used_by.begin(), comparison.used_by.end(), [](const std::string& use) { return use.starts_with("efficientnet_b0:"); }));
      }
      EXPECT_TRUE(saw_wide_window);
      for (const char* op : {"conv_wgrad", "dense_dgrad", "batch_norm_swish_fwd", "batch_norm_swish_bwd", "scale_channels_fwd", "scale_channels_bwd",
                             "swish_bwd", "sigmoid_fwd", "batch_norm_swish_inference"})
        EXPECT_TRUE(ops.contains(op)) << name << " on " << backend << ": " << op;
    }
  // The short profiles keep to MobileNetV2.
  for (const char* name : {"smoke", "quick"}) EXPECT_TRUE(plan_comparisons(registry, *find_profile(name, "cpu"), *Filter::parse({"model:efficientnet*"}))->empty());
}

TEST(Suites, AGpuGetsItsOwnTypesAndLayouts) {
  const auto registry = make_registry({});
  const auto planned = plan_comparisons(registry, *find_profile("quick", "cuda"), *Filter::parse({"op:conv_wgrad"}));
  ASSERT_TRUE(planned);
  bool saw_16_bit_gradients = false;
  for (const auto& comparison : *planned) {
    EXPECT_NE(comparison.problem.layout, "blocked");
    saw_16_bit_gradients = saw_16_bit_gradients || comparison.problem.types == "bf16_f32_strict_dwbf16";
  }
  EXPECT_TRUE(saw_16_bit_gradients);
}

// They come first, because whatever a run still measures before it ends is held against them.
TEST(Suites, CeilingsComeFirstAndAreOneSuite) {
  const auto registry = make_registry({});
  for (const char* backend : {"cpu", "cuda"})
    for (const char* name : {"smoke", "quick", "standard", "full"}) {
      const auto profile = find_profile(name, backend);
      const auto all = plan_comparisons(registry, *profile, *Filter::parse({}));
      const auto ceilings = plan_comparisons(registry, *profile, *Filter::parse({"suite:ceilings"}));
      ASSERT_TRUE(all && ceilings);
      std::set<std::string> ops, types;
      ASSERT_LT(ceilings->size(), all->size());
      for (std::size_t i = 0; i < ceilings->size(); ++i) {
        EXPECT_EQ((*ceilings)[i].problem, (*all)[i].problem) << name << " " << backend;
        ops.insert((*ceilings)[i].problem.op);
        if ((*ceilings)[i].problem.op == "matmul") types.insert((*ceilings)[i].problem.types);
      }
      // What any sum, any convolution in strict f32 and any product is held against.
      for (const char* op : {"memory_read", "fma_rate", "matmul"}) EXPECT_TRUE(ops.contains(op)) << op << " " << name << " " << backend;
      EXPECT_TRUE(types.contains("f32_f32_strict"));
      // And every type of the layers has its roof, in the profiles that a GPU's results are published from.
      if (std::string(backend) == "cuda")
        for (const auto& type : profile->types)
          if (std::string(name) != "smoke") {
            EXPECT_TRUE(types.contains(type)) << type << " " << name;
          }
      for (const auto& comparison : *all)
        if (comparison.suite != "ceilings") {
          EXPECT_FALSE(is_ceiling(comparison.problem)) << problem_id(comparison.problem);
        }
    }
  // Named by its id it belongs to the same suite.
  const auto named = plan_comparisons(registry, *find_profile("quick", "cpu"), *Filter::parse({"matmul/m64_n64_k64/f32_f32_strict/nn"}));
  ASSERT_TRUE(named && named->size() == 1);
  EXPECT_EQ(named->front().suite, "ceilings");
}

TEST(Suites, OfACeilingOnlyWhatCanBeItsRateIsWanted) {
  const Problem square{"matmul", "m512_n512_k512", "bf16_f32_strict", "nn"}, other{"matmul", "m512_n512_k511", "bf16_f32_strict", "nn"};
  const auto all = *Filter::parse({"suite:ceilings"});
  const Algorithm kept[] = {{"cublas", "default", {}, {}},          {"cublas", "autotune", {}, {}},   {"cublas", "default", {{"workspace", "32MiB"}}, {}},
                            {"fixed_order", "direct", {}, {}}, {"onednn", "jit:avx2", {{"formats", "any"}}, {}}};
  const Algorithm left_out[] = {{"cublas", "default", {{"math", "pedantic"}}, {}}, {"cublas", "default", {{"streams", "4"}, {"workspace", "32MiB"}}, {}},
                                {"cublaslt", "algo66[TILE_ID=20]", {}, {}},
                                {"fixed_order", "split_k_fixed[CHUNK=256]", {}, {}}, {"openmp", "split_k_atomic[CHUNK=256]", {}, {}},
                                {"cuda", "split_k_atomic[CHUNK=256]", {}, {}}};
  for (const auto& algorithm : kept) EXPECT_TRUE(is_wanted(all, square, algorithm)) << algorithm_id(algorithm);
  for (const auto& algorithm : left_out) {
    EXPECT_FALSE(is_wanted(all, square, algorithm)) << algorithm_id(algorithm);
    EXPECT_TRUE(is_wanted(all, other, algorithm)) << algorithm_id(algorithm);
    // Whoever asks for an arm gets it.
    EXPECT_TRUE(is_wanted(*Filter::parse({problem_id(square)}), square, algorithm)) << algorithm_id(algorithm);
    EXPECT_TRUE(is_wanted(*Filter::parse({"suite:ceilings", "provider:" + algorithm.provider}), square, algorithm)) << algorithm_id(algorithm);
  }
}

TEST(Profile, SearchAndBackendAreCheckedInOneLine) {
  EXPECT_EQ(profile_of("quick", "cuda", "")->search.tiers, std::vector{Tier::t0});
  EXPECT_EQ(profile_of("quick", "cuda", "t3,t0")->search.tiers, (std::vector{Tier::t0, Tier::t3}));
  EXPECT_EQ(profile_of("quick", "cuda", "all")->search.tiers.size(), 4u);
  for (const auto& [name, backend, search] :
       {std::tuple{"quickest", "cpu", ""}, std::tuple{"quick", "tpu", ""}, std::tuple{"quick", "cuda", "t4"}, std::tuple{"quick", "cuda", "t0,"}}) {
    const auto profile = profile_of(name, backend, search);
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(profile.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace detbench
