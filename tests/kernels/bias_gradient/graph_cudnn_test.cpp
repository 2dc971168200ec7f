// cuDNN's reduction graphs, asked without a GPU: the target is an H200's properties. Engines, sizes and counts are those of
// cuDNN 9.19; whether configurations can be judged depends on the driver's library, because every engine is compiled at run
// time.
#include "kernels/bias_gradient/graph_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/cudnn/offers.hpp"

namespace detbench {
namespace {

class CudnnReduction : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto library = cudnn::library();
    if (!library) GTEST_SKIP() << library.error().text;
    if ((*library)->version / 100 != 919) GTEST_SKIP() << "engines of cuDNN 9.19; this one is " << (*library)->version;
    target_ = cudnn::Target::of_architecture("sm_90").value();
  }
  static BiasGradientProblem problem(const std::string& types, const std::string& layout) {
    return parse_bias_gradient({"bias_grad", "mb32_c96_h56_w56", types, layout}).value();
  }
  static cudnn::OperationGraph graph(const std::string& types, const std::string& layout, std::optional<bool> deterministic) {
    auto made = bias_gradient::reduction_graph(problem(types, layout), deterministic, 16);
    EXPECT_TRUE(made) << made.error().text;
    return made->graph;
  }
  const cudnn::Target& target() const { return *target_; }

 private:
  std::optional<cudnn::Target> target_;
};

const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

// The attribute changes neither the engine nor its notes: only the workspace tells the two apart.
TEST_F(CudnnReduction, OnlyTheWorkspaceShowsThatItIsDeterministic) {
  for (const char* types : all_types) {
    for (const auto deterministic : {std::optional<bool>{}, std::optional(false), std::optional(true)}) {
      const auto found = graph(types, "nhwc", deterministic);
      ASSERT_EQ(found.engine_count(), 3);
      const auto engine = cudnn::describe_engine(found, target(), 1);
      ASSERT_TRUE(engine.finalized()) << engine.reason;
      EXPECT_FALSE(engine.has_note(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
      EXPECT_TRUE(engine.has_note(CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
      EXPECT_TRUE(engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION));
      const auto checked = cudnn::check(engine, {1, {}});
      if (!cudnn::driver_library_present()) {
        EXPECT_EQ(checked.support, cudnn::Support::unknown);
        continue;
      }
      ASSERT_EQ(checked.support, cudnn::Support::valid) << checked.reason;
      EXPECT_EQ(checked.workspace_bytes, deterministic.value_or(false) ? 301092 : 0) << types;
      EXPECT_EQ(cudnn::propose(found, target(), cudnn::HeuristicMode::a)->size(), 4u);
    }
  }
}

TEST_F(CudnnReduction, PlanesHaveNoConfiguration) {
  for (const char* types : all_types)
    for (const bool deterministic : {false, true}) {
      const auto found = graph(types, "nchw", deterministic);
      for (const auto& engine : cudnn::describe_engines(found, target()))
        EXPECT_EQ(cudnn::check(engine, {engine.index, {}}).support, cudnn::Support::unsupported) << types << " engine " << engine.index;
      EXPECT_TRUE(cudnn::propose(found, target(), cudnn::HeuristicMode::a)->empty());
    }
}

// A global average pool as a reduction does not exist, in any layout.
TEST_F(CudnnReduction, SumsPerImageAndChannelHaveNoConfiguration) {
  for (const char* layout : {"nhwc", "nchw"}) {
    auto builder = cudnn::GraphBuilder::make().value();
    const auto spec = problem("f32_f32_strict", layout).diff_dst();
    const Shape pooled{32, 1, 1, 96};
    const auto x = builder.tensor(cudnn::activation_tensor(1, spec, 16));
    const auto y = builder.tensor(cudnn::activation_tensor(2, {"dst", DataType::f32, pooled, canonical_layout(pooled)}, 16));
    builder.reduction({}, x, y);
    const auto found = builder.build();
    if (!found) continue;  // refused as a whole
    for (const auto& engine : cudnn::describe_engines(*found, target()))
      EXPECT_EQ(cudnn::check(engine, {engine.index, {}}).support, cudnn::Support::unsupported) << layout << " engine " << engine.index;
  }
}

TEST_F(CudnnReduction, ClaimsSayWhatTheyRestOn) {
  const auto engine = cudnn::describe_engine(graph("f32_f32_strict", "nhwc", false), target(), 1);
  const Claim without = bias_gradient::reduction_claim(cudnn::claim_of(engine), false), with = bias_gradient::reduction_claim(cudnn::claim_of(engine), true);
  for (const auto& claim : {without, with}) {
    EXPECT_EQ(claim.guarantee, Guarantee::run_to_run);
    for (const Scope scope : {Scope::repeat, Scope::process, Scope::load, Scope::placement}) EXPECT_TRUE(claim.covers(scope));
    for (const Scope scope : {Scope::partition, Scope::batch, Scope::machine}) EXPECT_FALSE(claim.covers(scope));
    EXPECT_NE(claim.source.find("9.19"), std::string::npos) << claim.source;
  }
  EXPECT_NE(without.source.find("without the NONDETERMINISTIC note; CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC is false"), std::string::npos) << without.source;
  EXPECT_NE(with.source.find("IS_DETERMINISTIC is true"), std::string::npos) << with.source;
}

TEST_F(CudnnReduction, TheProviderNeedsAGpuAndItsOption) {
  const auto operation = make_bias_gradient_operation();
  const auto cpu = std::move(*make_cpu_device());
  const Problem problem{"bias_grad", "mb2_c3_h5_w5", "f32_f32_strict", "nhwc"};
  for (const char* name : {"cudnn_graph", "cudnn_legacy", "cuda"}) {
    const auto offers = operation->find_provider(name)->offers(problem, *cpu).value();
    ASSERT_EQ(offers.size(), 1u) << name;
    EXPECT_EQ(offers[0].algorithm.name, "any");
    ASSERT_TRUE(offers[0].unsupported);
    EXPECT_EQ(offers[0].unsupported->kind, Reason::Kind::unsupported);
  }
  const auto name = parse_case_id("bias_grad/mb2_c3_h5_w5/f32_f32_strict/nhwc/cudnn_graph:eng1[KERNEL_CFG=3;SPLIT_K_SLC=2]@deterministic=1");
  ASSERT_TRUE(name) << name.error().text;
  EXPECT_EQ(case_id(name->problem, name->algorithm), "bias_grad/mb2_c3_h5_w5/f32_f32_strict/nhwc/cudnn_graph:eng1[KERNEL_CFG=3;SPLIT_K_SLC=2]@deterministic=1");
  EXPECT_EQ(cudnn::to_text(cudnn::parse_configuration(name->algorithm.name).value()), name->algorithm.name);
}

}  // namespace
}  // namespace detbench
