#include "bench/policy/framework_switches.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace detbench {
namespace {

Selection selection(const char* demand, const char* provider, const char* forward, const char* gradient) {
  Selection s;
  s.name = "x", s.demand = demand, s.target = {{"backend", "cuda"}};
  s.set({"conv_fwd", "mb1", "f32_f32_strict", ""}, {"nhwc", {provider, forward, {{"math", "fma"}}, {}}});
  for (const char* op : {"conv_dgrad", "conv_wgrad"}) s.set({op, "mb1", "f32_f32_strict", ""}, {"nhwc", {provider, gradient, {{"math", "fma"}}, {}}});
  return s;
}

bool holds(const std::vector<std::string>& lines, const std::string& part) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

TEST(FrameworkSwitches, WhatPyTorchPinsIsSaidToBeExact) {
  const auto pinned = switches_for("pytorch", selection("run_to_run", "cudnn_legacy", "implicit_precomp_gemm", "algo_1"));
  ASSERT_TRUE(pinned);
  EXPECT_TRUE(pinned->exact_for_convolutions);
  EXPECT_TRUE(holds(pinned->environment, "TORCH_CUDNN_V8_API_DISABLED=1"));
  EXPECT_TRUE(holds(pinned->code, "allow_tf32 = False"));
  const auto other = switches_for("pytorch", selection("run_to_run", "cudnn_legacy", "implicit_gemm", "algo_1"));
  EXPECT_FALSE(other->exact_for_convolutions);
  EXPECT_FALSE(holds(other->environment, "TORCH_CUDNN_V8_API_DISABLED"));
  EXPECT_TRUE(holds(other->limits, "no switch picks an engine"));
  EXPECT_FALSE(switches_for("pytorch", selection("run_to_run", "cudnn_graph", "implicit_precomp_gemm", "algo_1"))->exact_for_convolutions);
}

TEST(FrameworkSwitches, WithoutADemandNothingIsForced) {
  const auto fastest = switches_for("pytorch", selection("none", "cudnn_graph", "eng1", "eng2"));
  EXPECT_TRUE(holds(fastest->code, "benchmark = True"));
  EXPECT_FALSE(holds(fastest->code, "use_deterministic_algorithms"));
  EXPECT_FALSE(holds(switches_for("tensorflow", selection("none", "cudnn_graph", "eng1", "eng2"))->code, "enable_op_determinism"));
  EXPECT_TRUE(switches_for("jax", selection("none", "cudnn_graph", "eng1", "eng2"))->environment.empty());
}

TEST(FrameworkSwitches, EveryFrameworkSaysWhatItCannotExpress) {
  for (const char* framework : {"pytorch", "tensorflow", "jax"}) {
    for (const char* demand : {"none", "run_to_run", "partition", "batch"}) {
      const auto switches = switches_for(framework, selection(demand, "fixed_order", "direct", "direct"));
      ASSERT_TRUE(switches);
      EXPECT_TRUE(holds(switches->limits, "no switch picks")) << framework;
      EXPECT_TRUE(holds(switches->limits, "detbench's own kernels")) << framework;
      EXPECT_EQ(holds(switches->limits, "nothing asks for the same bits"), std::string(demand) == "partition" || std::string(demand) == "batch") << framework << demand;
    }
  }
  EXPECT_EQ(switches_for("caffe", {}).error().kind, Reason::Kind::invalid_input);
}

}  // namespace
}  // namespace detbench
