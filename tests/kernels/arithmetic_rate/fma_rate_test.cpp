#include "kernels/arithmetic_rate/fma_rate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "kernels/arithmetic_rate/chains.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

using ::testing::HasSubstr;
using namespace arithmetic_rate;

std::vector<const ChainKernel*> kernels_here() {
  std::vector<const ChainKernel*> kernels;
  for (const auto* kernel : {&chains_baseline(), &chains_avx2(), &chains_avx512()})
    if (cpu_has(kernel->set)) kernels.push_back(kernel);
  return kernels;
}

std::vector<float> starts(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i) / static_cast<float>(n) * 2 - 1;
  return values;
}

// Sizes around the borders of vectors and groups; what lies behind the last chain stays as it was.
TEST(FmaRate, everyInstructionSetAndTeamGivesTheBitsOfOneChainAfterAnother) {
  for (const std::size_t n : {1u, 7u, 96u, 97u, 191u, 192u, 500u})
    for (const std::int64_t steps : {1, 2, 33}) {
      const auto source = starts(n);
      std::vector<float> expected(n);
      for (std::size_t i = 0; i < n; ++i) {
        float x = source[i];
        for (std::int64_t step = 0; step < steps; ++step) x = std::fma(x, x, -1.9f);
        expected[i] = x;
      }
      for (const auto* kernel : kernels_here()) {
        std::vector<float> target(n + 1, 77.0f);
        run_chains(*kernel, source.data(), target.data(), static_cast<std::int64_t>(n), steps);
        EXPECT_EQ(std::memcmp(target.data(), expected.data(), n * sizeof(float)), 0) << to_text(kernel->set) << " n " << n << " k " << steps;
        EXPECT_EQ(target[n], 77.0f);
      }
    }
}

// What the rate is measured on has to be work: no chain dies out, grows or settles, and a product that is rounded before
// it is added leads elsewhere.
TEST(FmaRate, chainsStayBoundedAndSpread) {
  const std::size_t n = 2048;
  const auto source = starts(n);
  std::vector<float> target(n);
  run_chains(widest_chains(), source.data(), target.data(), n, 4096);
  std::set<std::uint32_t> distinct;
  for (const float x : target) {
    EXPECT_LE(std::abs(x), 1.97f);
    distinct.insert(std::bit_cast<std::uint32_t>(x));
  }
  EXPECT_GT(distinct.size(), n / 4);
  float fused = 0.3f, rounded_twice = 0.3f;
  for (int step = 0; step < 100; ++step) {
    fused = std::fma(fused, fused, addend);
    const volatile float product = rounded_twice * rounded_twice;
    rounded_twice = product + addend;
  }
  EXPECT_GT(std::abs(fused - rounded_twice), 1e-3f);
}

TEST(FmaRate, theCpuAnswersAndOneWrongBitShows) {
  const auto operation = make_fma_rate_operation();
  const auto problem = fma_rate_problem(1000, 50);
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  EXPECT_EQ(testing::verify_offers(*operation, problem, {}, **device), 1);
  const auto reference = operation->reference(problem, {});
  ASSERT_TRUE(reference);
  const auto* provider = operation->find_provider("fixed_order");
  ASSERT_NE(provider, nullptr);
  const auto offers = provider->offers(problem, **device);
  ASSERT_TRUE(offers);
  auto bound = testing::BoundCase::make(*operation, problem, *provider, offers->front().algorithm, {}, **device);
  ASSERT_TRUE(bound);
  ASSERT_TRUE((*bound)->run());
  auto outputs = (*bound)->host_outputs();
  ASSERT_TRUE(outputs);
  auto* values = static_cast<float*>((*outputs)[0].region.data);
  for (const std::size_t at : {std::size_t{0}, std::size_t{999}}) {
    values[at] = std::nextafter(values[at], 3.0f);
    const auto found = (*reference)->check(offers->front().algorithm, *outputs);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->passed);
    EXPECT_THAT(found->reason, HasSubstr("dst[" + std::to_string(at) + "]"));
    EXPECT_EQ(found->max_ulp, 1u);
    values[at] = std::nextafter(values[at], -3.0f);
  }
  EXPECT_TRUE((*reference)->check(offers->front().algorithm, *outputs)->passed);
}

TEST(FmaRate, aMillionChainsAreVerifiedByASample) {
  const auto operation = make_fma_rate_operation();
  const auto problem = fma_rate_problem(1 << 20, 64);
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto reference = operation->reference(problem, {});
  ASSERT_TRUE(reference);
  const auto* provider = operation->find_provider("fixed_order");
  const auto offers = provider->offers(problem, **device);
  auto bound = testing::BoundCase::make(*operation, problem, *provider, offers->front().algorithm, {}, **device);
  ASSERT_TRUE(bound);
  ASSERT_TRUE((*bound)->run());
  const auto found = (*reference)->check(offers->front().algorithm, *(*bound)->host_outputs());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->passed) << found->reason;
  EXPECT_EQ(found->outputs, 1u << 20);
  EXPECT_LT(found->checked, 5000u);
  EXPECT_GT(found->checked, 200u);
}

TEST(FmaRate, countsTwoOperationsAStep) {
  const auto operation = make_fma_rate_operation();
  const auto cost = operation->cost(fma_rate_problem(1000, 50));
  EXPECT_EQ(cost.flops, 100000);
  EXPECT_EQ(cost.bytes, 8000);
  EXPECT_EQ(problem_id(fma_rate_problem(131072, 4096)), "fma_rate/n131072_k4096/f32_f32_strict/vector");
  const auto larger = operation->in_batch(fma_rate_problem(1000, 50), 3000, 1000);
  ASSERT_TRUE(larger);
  EXPECT_EQ(larger->problem, fma_rate_problem(3000, 50));
}

TEST(FmaRate, refusesWhatItDoesNotUnderstand) {
  const auto refused = [](Problem problem, const char* words) {
    const auto parsed = parse_fma_rate(problem);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().text, HasSubstr(words));
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  };
  refused({"fma", "n64_k8", "f32_f32_strict", "vector"}, "fma");
  refused({"fma_rate", "n64_k8", "bf16_f32_strict", "vector"}, "f32_f32_strict");
  refused({"fma_rate", "n64_k8", "f32_f32_strict", "nhwc"}, "vector");
  refused({"fma_rate", "n64_k0", "f32_f32_strict", "vector"}, "k");
  refused({"fma_rate", "n64", "f32_f32_strict", "vector"}, "k");
}

class GpuFmaRate : public testing::OnGpu {};

TEST_F(GpuFmaRate, givesTheBitsOfTheCpu) {
  const auto operation = make_fma_rate_operation();
  // Steps below, at and above what the kernel unrolls; chains around the borders of a block.
  for (const auto& [chains, steps] : {std::pair{1, 1}, {511, 31}, {512, 32}, {513, 33}, {100000, 130}}) {
    const auto problem = fma_rate_problem(chains, steps);
    EXPECT_EQ(testing::verify_offers(*operation, problem, {}, *device_), 1);
    testing::expect_cpu_bits(*operation, problem, "fixed_order:chains", {}, *device_);
  }
}

}  // namespace
}  // namespace detbench
