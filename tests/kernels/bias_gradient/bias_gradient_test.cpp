#include "kernels/bias_gradient/bias_gradient.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kernels/bias_gradient/chunk_sums.hpp"
#include "tests/kernels/normalization/case_runner.hpp"

namespace detbench {
namespace {

using testing::run_case;
using testing::run_plan;

const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};
// One pixel, less than a chunk, chunks that end inside images and rows, odd channels, many channels over one pixel.
const char* const shapes[] = {"mb1_c1_h1_w1", "mb2_c24_h7_w5", "mb3_c37_h19_w9", "mb5_c16_h12_w11", "mb300_c33_h1_w1", "mb1_c1280_h7_w7"};

std::unique_ptr<Device> cpu(int threads) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  return std::move(*make_cpu_device(configuration));
}

/// Every offer on the device against the reference; returns how many ran.
int verify_offers(const Problem& problem, Device& device, InputFill fill, int runs, std::vector<Tier> tiers = {Tier::t0}) {
  AlgorithmSearch search;
  search.tiers = std::move(tiers);
  const auto operation = make_bias_gradient_operation(search);
  const Inputs inputs{fill, 5};
  const auto reference = operation->reference(problem, inputs);
  EXPECT_TRUE(reference) << reference.error().text;
  int ran = 0;
  for (const auto& provider : operation->providers()) {
    const auto offers = provider->offers(problem, device);
    EXPECT_TRUE(offers) << offers.error().text;
    for (const auto& offer : *offers) {
      if (offer.unsupported) continue;
      const std::string name = case_id(problem, offer.algorithm);
      const auto parsed = parse_case_id(name);
      EXPECT_TRUE(parsed && case_id(parsed->problem, parsed->algorithm) == name) << name;
      const auto run = run_case(*operation, problem, offer.algorithm, device, inputs, runs);
      // What only an execution can tell (a library's status for this type or layout) is no error here.
      if (!run && run.error().kind == Reason::Kind::unsupported && device.kind() == DeviceKind::cuda) continue;
      EXPECT_TRUE(run) << name << ": " << run.error().text;
      if (!run) continue;
      const auto found = (*reference)->check(offer.algorithm, run->outputs);
      EXPECT_TRUE(found && found->passed) << name << " " << to_text(fill) << ": " << (found ? found->reason : found.error().text);
      ++ran;
    }
  }
  return ran;
}

TEST(BiasGradient, EveryCpuAlgorithmMeetsTheReference) {
  const auto device = cpu(2);
  for (const char* shape : shapes)
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"})
        for (InputFill fill : {InputFill::exact, InputFill::rounding, InputFill::wide})
          EXPECT_EQ(verify_offers({"bias_grad", shape, types, layout}, *device, fill, 2), 4);
}

TEST(BiasGradient, FixedOrdersBitsDoNotDependOnThreadsLayoutOrInstructionSet) {
  const auto operation = make_bias_gradient_operation();
  for (const char* types : all_types)
    for (const char* shape : {"mb3_c37_h19_w9", "mb4_c40_h24_w24"}) {
      std::set<std::string> digests;
      int runs = 0;
      for (int threads : {1, 2, 3, 5})
        for (const char* layout : {"nhwc", "nchw"})
          for (auto isa : reduction::available_isas()) {
            const Problem problem{"bias_grad", shape, types, layout};
            SimplePlan plan(bias_gradient::make_fixed_order_parts(problem, isa).value());
            const auto device = cpu(threads);
            const auto run = run_plan(*operation, problem, plan, *device, {InputFill::rounding, 3});
            ASSERT_TRUE(run) << run.error().text;
            digests.insert(to_hex(run->digest));
            ++runs;
          }
      EXPECT_EQ(digests.size(), 1u) << shape << " " << types;
      EXPECT_GE(runs, 8);
    }
}

// The reference itself: a gradient that can be written down.
TEST(BiasGradient, ReferenceRefusesAWrongSum) {
  const auto operation = make_bias_gradient_operation();
  const Problem problem{"bias_grad", "mb2_c3_h5_w5", "f32_f32_strict", "nhwc"};
  for (InputFill fill : {InputFill::exact, InputFill::rounding}) {
    const auto device = cpu(1);
    auto run = run_case(*operation, problem, {"fixed_order", "chunk_tree", {}, {}}, *device, {fill, 5});
    ASSERT_TRUE(run) << run.error().text;
    const auto reference = operation->reference(problem, {fill, 5});
    float* sums = reinterpret_cast<float*>(run->memory[0].data());
    EXPECT_TRUE((*reference)->check({"fixed_order", "chunk_tree", {}, {}}, run->outputs)->passed);
    sums[2] += 1;
    const auto found = (*reference)->check({"fixed_order", "chunk_tree", {}, {}}, run->outputs);
    EXPECT_FALSE(found->passed);
    EXPECT_NE(found->reason.find("diff_bias[2]"), std::string::npos) << found->reason;
  }
}

TEST(BiasGradient, RefusesWhatItDoesNotKnow) {
  const auto reason = [](Problem p) { return parse_bias_gradient(p).error().text; };
  EXPECT_NE(reason({"bias_grad", "mb8_c0_h1_w1", "f32_f32_strict", "nhwc"}).find("c0"), std::string::npos);
  EXPECT_NE(reason({"bias_grad", "mb8_h1_w1", "f32_f32_strict", "nhwc"}).find("mbN_cN_hN_wN"), std::string::npos);
  EXPECT_NE(reason({"bias_grad", "mb8_c8_h1_w1", "f32_f32_tf32", "nhwc"}).find("tf32"), std::string::npos);
  EXPECT_NE(reason({"bias_grad", "mb8_c8_h1_w1", "f32_f32_strict", "nchw16c"}).find("nchw16c"), std::string::npos);
  EXPECT_NE(reason({"bias_grad", "mb1048576_c1048576_h65536_w65536", "f32_f32_strict", "nhwc"}).find("2^36"), std::string::npos);
}

TEST(BiasGradient, WrongDevicesAndAbsentLibrariesAreOneRowWithTheReason) {
  const auto operation = make_bias_gradient_operation();
  const auto device = cpu(1);
  for (const char* name : {"cuda"}) {
    const Provider* provider = operation->find_provider(name);
    ASSERT_NE(provider, nullptr) << name;
    const auto offers = provider->offers({"bias_grad", "mb2_c3_h5_w5", "f32_f32_strict", "nhwc"}, *device).value();
    ASSERT_EQ(offers.size(), 1u) << name;
    EXPECT_EQ(offers[0].algorithm.name, "any");
    ASSERT_TRUE(offers[0].unsupported) << name;
    EXPECT_EQ(offers[0].unsupported->kind, Reason::Kind::unsupported);
  }
}

class GpuBiasGradient : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
  }
  std::unique_ptr<Device> device_;
};

TEST_F(GpuBiasGradient, EveryAlgorithmMeetsTheReference) {
  for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h19_w9", "mb300_c33_h1_w1", "mb1_c1280_h7_w7", "mb32_c32_h56_w56"})
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"})
        for (InputFill fill : {InputFill::exact, InputFill::rounding})
          EXPECT_GE(verify_offers({"bias_grad", shape, types, layout}, *device_, fill, 2), 3);
}

// Engines compile for up to a second each, so the heuristics' proposals are met at one problem only.
TEST_F(GpuBiasGradient, EveryProposalOfTheHeuristicsMeetsTheReference) {
  for (InputFill fill : {InputFill::exact, InputFill::rounding})
    EXPECT_GE(verify_offers({"bias_grad", "mb32_c96_h28_w28", "bf16_f32_strict", "nhwc"}, *device_, fill, 2, {Tier::t0, Tier::t1}), 3);
}

TEST_F(GpuBiasGradient, ReplaysOfACaptureAreRightEveryTime) {
  const auto operation = make_bias_gradient_operation();
  const Problem problem{"bias_grad", "mb3_c37_h19_w9", "f32_f32_strict", "nhwc"};
  const Inputs inputs{InputFill::exact, 3};
  const auto reference = operation->reference(problem, inputs);
  for (const auto& [provider, name] : {std::pair{"fixed_order", "chunk_tree"}, {"cuda", "atomic"}, {"cuda", "block_atomic"}}) {
    const Algorithm algorithm{provider, name, {}, {}};
    const auto run = run_case(*operation, problem, algorithm, *device_, inputs, 3, testing::How::captured);
    ASSERT_TRUE(run) << name << ": " << run.error().text;
    const auto found = (*reference)->check(algorithm, run->outputs);
    EXPECT_TRUE(found && found->passed) << name << ": " << (found ? found->reason : found.error().text);
  }
}

TEST_F(GpuBiasGradient, FixedOrderGivesTheCpusBits) {
  const auto operation = make_bias_gradient_operation();
  const auto host = cpu(2);
  for (const char* shape : {"mb1_c1_h1_w1", "mb2_c24_h7_w5", "mb3_c37_h19_w9", "mb300_c33_h1_w1", "mb32_c32_h56_w56"})
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        const Problem problem{"bias_grad", shape, types, layout};
        const Algorithm algorithm{"fixed_order", "chunk_tree", {}, {}};
        const auto expected = run_case(*operation, problem, algorithm, *host, {InputFill::rounding, 3});
        const auto found = run_case(*operation, problem, algorithm, *device_, {InputFill::rounding, 3}, 3);
        ASSERT_TRUE(expected && found) << (expected ? found.error().text : expected.error().text);
        EXPECT_EQ(to_hex(found->digest), to_hex(expected->digest)) << problem_id(problem);
      }
}

TEST(BiasGradient, SummandsMayBeOfAnyDistribution) {
  const auto device = cpu(2);
  ASSERT_TRUE(device->activate());
  for (const char* types : all_types)
    for (const char* word : {"_uniform", "_wide", "_cancelling"}) {
      const Problem problem{"bias_grad", std::string("mb4_c24_h7_w5") + word, types, "nhwc"};
      EXPECT_GE(verify_offers(problem, *device, InputFill::rounding, 1), 4) << problem_id(problem);
    }
  const auto operation = make_bias_gradient_operation();
  EXPECT_FALSE(operation->check({"bias_grad", "mb4_c24_h7_w5_lumpy", "f32_f32_strict", "nhwc"}));
  const Problem problem{"bias_grad", "mb4_c24_h20_w20", "f32_f32_strict", "nhwc"};
  const auto plan = operation->find_provider("openmp")->plan(problem, {"openmp", "chunk_atomic_static", {}, {}}, *device).value();
  EXPECT_EQ(plan->notes().at("contention"), "7");  // 1600 pixels
}

}  // namespace
}  // namespace detbench
