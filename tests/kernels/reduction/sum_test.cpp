// Every sum against the exact one, and what users can get wrong.
#include "kernels/reduction/sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "exact_oracle.hpp"
#include "kernels/reduction/isa.hpp"
#include "sum_runner.hpp"
#include "verify_all.hpp"

namespace detbench {
namespace {

using testing::sum_bits;
using testing::SumRunner;

class Sums : public ::testing::Test {
 protected:
  std::unique_ptr<Device> cpu(int threads) {
    DeviceConfiguration configuration;
    configuration.threads = threads;
    auto device = make_cpu_device(configuration);
    EXPECT_TRUE(device.has_value());
    EXPECT_TRUE((*device)->activate().has_value());
    return std::move(*device);
  }
  std::unique_ptr<Operation> sum_ = make_sum_operation();
};

TEST_F(Sums, EveryAlgorithmMeetsTheExactAndTheRoundingBound) {
  const auto device = cpu(3);
  const auto dot = make_dot_operation();
  for (const Operation* operation : {sum_.get(), dot.get()}) {
    const auto verify = [&](const char* shape, const char* types, InputFill fill) {
      testing::verify_all(*operation, {std::string(operation->op()), shape, types, "vector"}, *device, fill);
    };
    for (const char* types : {"f32_f32_strict", "f64_f64_strict", "f16_f32_strict", "bf16_f32_strict"}) {
      for (const char* shape : {"n1", "n2047", "n140003"})
        for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) verify(shape, types, fill);
      for (const char* shape : {"n65", "n70001_uniform", "n70002_wide", "n70003_cancelling"})
        verify(shape, types, InputFill::rounding);
    }
  }
}

// Among products of numbers in [0, 1) small ones are the commoner, so that roundings against a running sum of a million do not
// cancel: the error is over three times what the bound for roundings of random sign allows.
TEST_F(Sums, ARunningSumOfManySmallSummandsIsNotWrong) {
  const auto dot = make_dot_operation();
  const auto device = cpu(1);
  testing::verify_providers(*dot, {"dot", "n4000003_uniform", "f32_f32_strict", "vector"}, *device, InputFill::rounding,
                            [](std::string_view provider) { return provider == "openmp"; });
}

TEST_F(Sums, TheReferenceRefusesAWrongSum) {
  const Problem problem{"sum", "n5000", "f32_f32_strict", "vector"};
  for (InputFill fill : {InputFill::exact, InputFill::rounding}) {
    const auto reference = sum_->reference(problem, {fill, 5});
    ASSERT_TRUE(reference.has_value());
    float wrong = 12345.0f;
    const Tensor dst{{"dst", DataType::f32, {1}, canonical_layout({1})}, {&wrong, sizeof wrong}};
    for (float value : {12345.0f, std::numeric_limits<float>::quiet_NaN()}) {
      wrong = value;
      const auto found = (*reference)->check({}, {&dst, 1});
      ASSERT_TRUE(found.has_value());
      EXPECT_FALSE(found->passed);
      EXPECT_NE(found->reason.find("dst[0]"), std::string::npos) << found->reason;
    }
  }
}

/// Threads, instruction sets, alignment and schedules: one digest each for everything that claims it.
TEST_F(Sums, FixedOrderAndOrderIndependentSumsHaveOneResultEach) {
  std::mt19937_64 random(11);
  std::vector<float> values(300001);
  for (float& value : values) value = static_cast<float>(static_cast<std::int64_t>(random()) >> 20) * 0x1p-43f;
  for (const char* algorithm :
       {"fixed_order:fixed_tree", "fixed_order:two_pass", "fixed_order:kahan", "fixed_order:f64_accumulator",
        "order_independent:exact_window", "order_independent:superaccumulator"}) {
    std::string error;
    const auto first = sum_bits(values, algorithm, 1, error);
    ASSERT_EQ(error, "");
    for (int threads : {2, 3, 4, 8}) {
      EXPECT_EQ(sum_bits(values, algorithm, threads, error), first) << algorithm << " with " << threads << " threads";
      EXPECT_EQ(error, "");
    }
    if (std::string(algorithm) == "order_independent:superaccumulator") continue;  // has no instruction sets
    for (auto isa : reduction::available_isas()) {
      EXPECT_EQ(sum_bits(values, algorithm + ("@isa=" + std::string(to_text(isa))), 3, error), first)
          << algorithm << " " << to_text(isa);
      EXPECT_EQ(error, "");
    }
    DeviceConfiguration odd;
    odd.threads = 2;
    odd.offset_bytes = 4;
    SumRunner runner(odd, values.size(), "f32_f32_strict", algorithm);
    ASSERT_EQ(runner.error(), "");
    ASSERT_TRUE(runner.set(values));
    EXPECT_EQ(runner.bits<float>(), first) << algorithm << " at an odd address";
  }
}

TEST_F(Sums, OrderIndependentSumsIgnoreTheOrderOfTheInput) {
  std::mt19937_64 random(12);
  for (int spread : {4, 50, 200}) {
    std::vector<float> values(50000);
    for (float& value : values)
      value = std::ldexp(static_cast<float>(static_cast<std::int32_t>(random())),
                         -110 + static_cast<int>(random() % static_cast<unsigned>(spread)));
    const float exact = testing::exact_sum(values);
    std::string error;
    for (int order = 0; order < 4; ++order) {
      for (const char* algorithm : {"order_independent:exact_window", "order_independent:superaccumulator"}) {
        EXPECT_EQ(sum_bits(values, algorithm, 3, error), testing::bits_of_value(exact))
            << algorithm << ", order " << order;
        EXPECT_EQ(error, "");
      }
      std::shuffle(values.begin(), values.end(), random);
    }
  }
}

/// The instrument's positive control must exist: element-wise atomics do give several results where threads really
/// run beside each other.
TEST_F(Sums, ContendedAtomicsGiveMoreThanOneResult) {
  std::mt19937_64 random(13);
  std::vector<float> values(200000);
  for (float& value : values) value = static_cast<float>(static_cast<std::int64_t>(random()) >> 20) * 0x1p-43f;
  DeviceConfiguration configuration;
  configuration.threads = 4;
  SumRunner runner(configuration, values.size(), "f32_f32_strict", "openmp:atomic_per_element");
  ASSERT_EQ(runner.error(), "");
  ASSERT_TRUE(runner.set(values));
  std::set<std::uint32_t> results;
  for (int run = 0; run < 60 && results.size() < 2; ++run) results.insert(runner.bits<float>());
  if (results.size() < 2)
    GTEST_SKIP() << "60 runs on " << available_cores() << " cores gave one result: nothing ran at the same time";
  EXPECT_GE(results.size(), 2u);
}

TEST_F(Sums, BadProblemsAreRefusedInOneLine) {
  const struct {
    Problem problem;
    const char* names;
  } cases[] = {{{"sum", "n0", "f32_f32_strict", "vector"}, "n0"},
               {{"sum", "n-3", "f32_f32_strict", "vector"}, "n-3"},
               {{"sum", "m5", "f32_f32_strict", "vector"}, "'m'"},
               {{"sum", "n5_k2", "f32_f32_strict", "vector"}, "n5_k2"},
               {{"sum", "n5_narrow", "f32_f32_strict", "vector"}, "narrow"},
               {{"dot", "n5", "f32_f32_strict", "vector"}, "dot"},
               {{"sum", "n99999999999999", "f32_f32_strict", "vector"}, "n99999999999999"},
               {{"sum", "n5", "f16_f16_strict", "vector"}, "f32_f32_strict"},
               {{"sum", "n5", "f32_f32_strict", "nhwc"}, "vector"},
               {{"product", "n5", "f32_f32_strict", "vector"}, "product"}};
  for (const auto& c : cases) {
    const auto status = sum_->check(c.problem);
    ASSERT_FALSE(status.has_value()) << problem_id(c.problem);
    EXPECT_NE(status.error().text.find(c.names), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
  }
}

TEST_F(Sums, BadAlgorithmsAndOptionsAreRefusedWithWhatWouldBeRight) {
  const auto error = [](const std::string& algorithm) {
    return SumRunner({}, 100, "f32_f32_strict", algorithm).error();
  };
  EXPECT_NE(error("openmp:reduction_sideways").find("reduction_static"), std::string::npos);
  EXPECT_NE(error("fixed_order:fixed_tree@lanes=32").find("isa"), std::string::npos);
  EXPECT_NE(error("fixed_order:fixed_tree@isa=neon").find("avx512"), std::string::npos);
  EXPECT_NE(error("openmp:atomic_per_element@isa=avx2").find("none"), std::string::npos);
}

TEST_F(Sums, WhatDoesNotExistIsOfferedWithItsReason) {
  const auto device = cpu(2);
  const auto find = [&](const char* provider, const char* name, const Problem& problem) -> std::optional<Reason> {
    const auto offers = sum_->find_provider(provider)->offers(problem, *device);
    for (const Offer& offer : *offers)
      if (offer.algorithm.name == name) return offer.unsupported;
    ADD_FAILURE() << name << " is not offered";
    return std::nullopt;
  };
  const auto large = find("openmp", "atomic_per_element", {"sum", "n16777216", "f32_f32_strict", "vector"});
  ASSERT_TRUE(large.has_value());
  EXPECT_NE(large->text.find("4194304"), std::string::npos);
  EXPECT_TRUE(find("fixed_order", "f64_accumulator", {"sum", "n100", "f64_f64_strict", "vector"}).has_value());
  EXPECT_FALSE(find("fixed_order", "f64_accumulator", {"sum", "n100", "f32_f32_strict", "vector"}).has_value());
}

TEST_F(Sums, ClaimsSayWhatTheyRestOn) {
  const auto device = cpu(2);
  const Problem problem{"sum", "n1000", "f32_f32_strict", "vector"};
  for (const auto& provider : sum_->providers()) {
    const auto offers = provider->offers(problem, *device);
    for (const Offer& offer : *offers) {
      const Claim& claim = offer.algorithm.claim;
      EXPECT_EQ(claim.guarantee == Guarantee::not_guaranteed, claim.source.empty()) << algorithm_id(offer.algorithm);
      EXPECT_EQ(claim.source.empty(), claim.coverage.empty()) << algorithm_id(offer.algorithm);
      const auto name = provider->name();
      const bool everywhere = claim.covers(Scope::machine) && claim.covers(Scope::partition);
      EXPECT_EQ(everywhere, name == "fixed_order" || name == "order_independent") << algorithm_id(offer.algorithm);
      const bool per_threads = offer.algorithm.name == "thread_partials";  // a fixed order for each number of threads
      EXPECT_TRUE(claim.source.empty() || per_threads || (name != "openmp" && name != "stdpar")) << algorithm_id(offer.algorithm);
    }
  }
}

}  // namespace
}  // namespace detbench
