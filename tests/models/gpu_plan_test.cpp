// Whole train steps planned for a GPU that is not there: every op has a provider, and where orders are fixed the step is the
// CPU's op for op.
#include <gtest/gtest.h>

#include <set>

#include "kernels/training/loss_scale.hpp"
#include "models/catalog.hpp"
#include "models/planner.hpp"
#include "models/policies.hpp"
#include "models/problems.hpp"
#include "models/training.hpp"
#include "tests/kernels/listed_gpu.hpp"

namespace detbench {
namespace {

struct Case {
  const char* model;
  std::int64_t pixels, batch, classes;
};
const Case cases[] = {{"mobilenet_v2_alpha0.35", 96, 8, 1000}, {"mobilenet_v2_alpha1.0", 224, 32, 1000}, {"efficientnet_b0", 224, 8, 1000},
                      {"efficientnet_lite0", 224, 8, 1000},    {"small_cnn", 28, 8, 10},                 {"small_dense", 1, 8, 10}};

class PlansForAGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto ours = plan_advance_step(gpu_, false); !ours) GTEST_SKIP() << ours.error().text;
  }
  static Network network_of_case(const Case& c) { return make_network(c.model, c.pixels, c.classes).value(); }
  Result<TrainProgram> plan(const Case& c, const std::string& types, Device& device, const Selection& selection, int streams = 1) {
    TrainingSpec spec;
    spec.types = types;
    return plan_train_program(network_of_case(c), c.batch, selection, spec, *registry_, device, streams);
  }
  Selection fixed_order(const Case& c, const std::string& types, Device& device) {
    auto selection = built_in_selection("fixed_order", network_of_case(c), c.batch, types, *registry_, device);
    EXPECT_TRUE(selection) << c.model << " " << types << ": " << selection.error().text;
    return selection.value_or(fixed_order_selection());
  }

  testing::ListedGpu gpu_;
  std::unique_ptr<Device> cpu_ = std::move(make_cpu_device().value());
  std::shared_ptr<const Registry> registry_ = make_network_registry();
};

/// What an op is, whatever planned it.
std::string line_of(const OpInfo& info) { return info.phase + " " + info.layer + " " + info.op + " " + info.problem + " " + info.algorithm + (info.side ? " side" : ""); }

// The same ops on the same tensors in the same order: without that, no digest could be the CPU's.
TEST_F(PlansForAGpu, AFixedOrderStepIsTheCpusOpForOp) {
  for (const auto& c : cases)
    for (const char* types : {"f32_f32_strict", "bf16_f32_strict", "f16_f32_strict"}) {
      const auto here = plan(c, types, gpu_, fixed_order(c, types, gpu_)), there = plan(c, types, *cpu_, fixed_order(c, types, *cpu_));
      ASSERT_TRUE(here) << c.model << " " << types << ": " << here.error().text;
      ASSERT_TRUE(there) << c.model << " " << types << ": " << there.error().text;
      EXPECT_EQ(here->fallbacks, 0) << c.model << " " << types;
      const auto on_gpu = here->program.infos(), on_cpu = there->program.infos();
      ASSERT_EQ(on_gpu.size(), on_cpu.size()) << c.model << " " << types;
      for (std::size_t i = 0; i < on_gpu.size(); ++i) ASSERT_EQ(line_of(on_gpu[i]), line_of(on_cpu[i])) << c.model << " " << types;
      ASSERT_EQ(here->parameters.size(), there->parameters.size());
      for (std::size_t p = 0; p < here->parameters.size(); ++p) {
        EXPECT_EQ(here->parameters[p].role, there->parameters[p].role);
        EXPECT_EQ(here->parameters[p].layout, there->parameters[p].layout) << here->parameters[p].role;
      }
    }
}

TEST_F(PlansForAGpu, TwoStreamsTakeTheSameOpsAndNoLessMemory) {
  for (const auto& c : {cases[0], cases[2]}) {
    const auto selection = fixed_order(c, "bf16_f32_strict", gpu_);
    const auto one = plan(c, "bf16_f32_strict", gpu_, selection), two = plan(c, "bf16_f32_strict", gpu_, selection, 2);
    ASSERT_TRUE(one && two) << c.model;
    EXPECT_EQ(one->program.infos().size(), two->program.infos().size());
    EXPECT_GE(two->program.arena_bytes(), one->program.arena_bytes());
  }
}

TEST_F(PlansForAGpu, InferenceInFixedOrderIsTheCpusOpForOp) {
  for (const auto& c : cases)
    for (const char* types : {"f32_f32_strict", "bf16_f32_strict", "f16_f32_strict"}) {
      const auto network = network_of_case(c);
      const auto here = plan_inference_program(network, c.batch, fixed_order(c, types, gpu_), types, *registry_, gpu_);
      const auto there = plan_inference_program(network, c.batch, fixed_order(c, types, *cpu_), types, *registry_, *cpu_);
      ASSERT_TRUE(here) << c.model << " " << types << ": " << here.error().text;
      ASSERT_TRUE(there) << c.model << " " << types << ": " << there.error().text;
      EXPECT_EQ(here->fallbacks, 0) << c.model << " " << types;
      const auto on_gpu = here->program.infos(), on_cpu = there->program.infos();
      ASSERT_EQ(on_gpu.size(), on_cpu.size()) << c.model << " " << types;
      for (std::size_t i = 0; i < on_gpu.size(); ++i) ASSERT_EQ(line_of(on_gpu[i]), line_of(on_cpu[i])) << c.model << " " << types;
    }
}

// Without a rule the libraries are asked first; cuDNN and cuBLAS cannot be here, so this shows that our own kernels stand behind
// every op that they might refuse, in the types and layouts that the step has there. Tensor cores we do not replace.
TEST_F(PlansForAGpu, OurKernelsStandBehindTheLibraries) {
  auto selection = library_heuristic_selection();
  for (const auto& c : cases)
    for (const char* types : {"f32_f32_strict", "bf16_f32_strict", "f16_f32_strict"}) {
      const auto program = plan(c, types, gpu_, selection);
      ASSERT_TRUE(program) << c.model << " " << types << ": " << program.error().text;
      int selected = 0;
      for (const auto& info : program->program.infos()) {
        selected += !info.problem.empty();
        EXPECT_EQ(info.problem.find("nchw"), std::string::npos) << info.problem;  // blocked layouts are a CPU's
      }
      EXPECT_EQ(program->fallbacks, selected) << c.model << " " << types;
    }
}

TEST_F(PlansForAGpu, TensorCoresHaveNoFixedOrderAndTheReasonSaysSo) {
  const auto refused = built_in_selection("fixed_order", network_of_case(cases[0]), 8, "f32_f32_tf32", *registry_, gpu_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Reason::Kind::unsupported);
  EXPECT_NE(refused.error().text.find("tensor cores"), std::string::npos) << refused.error().text;
}

// cuDNN's gradients of 16-bit weights are 16-bit, ours f32. A selection that knows one spelling alone gets it without a fallback.
TEST_F(PlansForAGpu, AWeightGradientIsPosedAsTheSelectionKnowsIt) {
  const Case c = cases[0];
  const auto network = network_of_case(c);
  const auto gradients = [&](const Selection& selection) {
    const auto program = plan(c, "bf16_f32_strict", gpu_, selection);
    EXPECT_TRUE(program) << program.error().text;
    std::set<std::string> seen;
    if (program)
      for (const auto& info : program->program.infos())
        if (info.op == "conv_wgrad") seen.insert(std::string(info.problem.find("_dwbf16") != std::string::npos ? "narrow" : "wide") + (info.fallback ? " fallback" : ""));
    return seen;
  };
  EXPECT_EQ(gradients(fixed_order_selection()), (std::set<std::string>{"wide"}));
  EXPECT_EQ(gradients(library_heuristic_selection()), (std::set<std::string>{"narrow fallback"}));
  for (const bool narrow : {false, true}) {
    Selection selection;
    selection.name = "one spelling";
    for (const auto& layer : network.layers) {
      if (layer.kind != LayerKind::convolution) continue;
      const auto types = narrow ? weight_gradient_types("bf16_f32_strict", WeightGradients::as_data) : "bf16_f32_strict";
      selection.set(layer_problem(layer, c.batch, "conv_wgrad", types, "nhwc"), {"nhwc", {"fixed_order", "", {}, {}}});
    }
    EXPECT_EQ(gradients(selection), (std::set<std::string>{narrow ? "narrow" : "wide"}));
  }
}

}  // namespace
}  // namespace detbench
