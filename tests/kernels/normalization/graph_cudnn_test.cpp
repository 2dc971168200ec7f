// cuDNN's batch norm graphs, asked without a GPU: the target is an H200's properties. Engines, sizes and counts are those of
// cuDNN 9.19; without the driver's library no configuration can be judged, because every engine is compiled at run time.
#include "kernels/normalization/graph_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/cudnn/offers.hpp"

namespace detbench {
namespace {

class CudnnBatchNorm : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto library = cudnn::library();
    if (!library) GTEST_SKIP() << library.error().text;
    if ((*library)->version / 100 != 919) GTEST_SKIP() << "engines of cuDNN 9.19; this one is " << (*library)->version;
    target_ = cudnn::Target::of_architecture("sm_90").value();
  }
  static cudnn::OperationGraph graph(const char* op, const std::string& types, const std::string& layout) {
    const auto p = parse_batch_norm({op, "mb32_c96_h56_w56", types, layout}).value();
    auto made = normalization::norm_graph(p, p.activation != Activation::none && !p.backward, 16);
    EXPECT_TRUE(made) << made.error().text;
    return made->graph;
  }
  const cudnn::Target& target() const { return *target_; }

 private:
  std::optional<cudnn::Target> target_;
};

const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

TEST_F(CudnnBatchNorm, SixEnginesCompiledAtRunTimeWithoutANote) {
  for (const char* op : {"batch_norm_fwd", "batch_norm_relu6_fwd", "batch_norm_bwd"})
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        const auto found = graph(op, types, layout);
        ASSERT_EQ(found.engine_count(), 6) << op;
        for (const auto& engine : cudnn::describe_engines(found, target())) {
          EXPECT_TRUE(engine.finalized()) << op << " engine " << engine.index << ": " << engine.reason;
          EXPECT_FALSE(engine.has_note(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) << op << " engine " << engine.index;
          EXPECT_TRUE(engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) << op << " engine " << engine.index;
        }
        const auto* persistent = "OCCUPANCY";
        const auto engine = cudnn::describe_engine(found, target(), 0);
        const auto* knob = engine.find_knob(cudnn::parse_knob_name(persistent).value());
        ASSERT_NE(knob, nullptr);
        EXPECT_EQ(knob->count(), 2);
      }
}

TEST_F(CudnnBatchNorm, InferenceIsAnOperationOfGraphsToo) {
  for (const std::string op : {"batch_norm_inference", "batch_norm_relu6_inference", "batch_norm_swish_inference"})
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        int finalized = 0;
        for (const auto& engine : cudnn::describe_engines(graph(op.c_str(), types, layout), target())) finalized += engine.finalized() ? 1 : 0;
        EXPECT_EQ(finalized, op == "batch_norm_swish_inference" && layout == std::string("nchw") ? 5 : 6) << op << " " << types << " " << layout;
      }
}

TEST_F(CudnnBatchNorm, EngineZeroAndItsWorkspace) {
  if (!cudnn::driver_library_present()) GTEST_SKIP() << "no driver library: engines that are compiled at run time cannot be judged";
  struct Row {
    const char *op, *types, *layout;
    std::int64_t workspace_bytes;
    std::size_t proposals;
  };
  const Row rows[] = {{"batch_norm_fwd", "f32_f32_strict", "nhwc", 135248, 22},    {"batch_norm_bwd", "f32_f32_strict", "nhwc", 135200, 23},
                      {"batch_norm_fwd", "f32_f32_strict", "nchw", 77205600, 22},  {"batch_norm_bwd", "f32_f32_strict", "nchw", 115740720, 23},
                      {"batch_norm_fwd", "f16_f32_strict", "nhwc", 68168, 29},     {"batch_norm_bwd", "f16_f32_strict", "nhwc", 134176, 35},
                      {"batch_norm_fwd", "bf16_f32_strict", "nchw", 38603352, 29}, {"batch_norm_bwd", "bf16_f32_strict", "nchw", 57936944, 35},
                      // ReLU6 in the graph costs no workspace.
                      {"batch_norm_relu6_fwd", "f32_f32_strict", "nhwc", 135248, 22}, {"batch_norm_relu6_fwd", "f16_f32_strict", "nchw", 38603352, 29}};
  for (const auto& row : rows) {
    const auto found = graph(row.op, row.types, row.layout);
    const auto checked = cudnn::check(cudnn::describe_engine(found, target(), 0), {0, {}});
    ASSERT_EQ(checked.support, cudnn::Support::valid) << row.op << row.types << row.layout << ": " << checked.reason;
    EXPECT_EQ(checked.workspace_bytes, row.workspace_bytes) << row.op << row.types << row.layout;
    const auto proposed = cudnn::propose(found, target(), cudnn::HeuristicMode::a).value();
    EXPECT_EQ(proposed.size(), row.proposals) << row.op << row.types << row.layout;
    for (const auto& configuration : proposed) EXPECT_EQ(configuration.engine, 0);
  }
}

TEST_F(CudnnBatchNorm, WithoutTheDriverNothingIsCalledUnsupported) {
  if (cudnn::driver_library_present()) GTEST_SKIP() << "the driver's library is here";
  AlgorithmSearch both;
  const auto found = cudnn::search(graph("batch_norm_fwd", "f32_f32_strict", "nhwc"), target(), both).value();
  EXPECT_EQ(found.candidates.size(), 6u);
  for (const auto& candidate : found.candidates) EXPECT_EQ(candidate.support, cudnn::Support::unknown) << cudnn::to_text(candidate.configuration);
}

TEST_F(CudnnBatchNorm, BlockedLayoutsAndCpusAreOneRowWithTheReason) {
  EXPECT_FALSE(normalization::norm_graph(parse_batch_norm({"batch_norm_fwd", "mb2_c32_h4_w4", "f32_f32_strict", "nchw16c"}).value(), false, 16));
  const auto cpu = std::move(*make_cpu_device());
  for (const auto& operation : make_batch_norm_operations())
    for (const char* name : {"cudnn_graph", "cudnn_legacy", "cuda"}) {
      const auto offers = operation->find_provider(name)->offers({std::string(operation->op()), "mb2_c3_h5_w5", "f32_f32_strict", "nhwc"}, *cpu).value();
      ASSERT_EQ(offers.size(), 1u) << name;
      EXPECT_EQ(offers[0].algorithm.name, "any");
      ASSERT_TRUE(offers[0].unsupported);
      EXPECT_EQ(offers[0].unsupported->kind, Reason::Kind::unsupported);
    }
}

TEST_F(CudnnBatchNorm, NamesWithKernelsOfOursRoundTrip) {
  for (const std::string name : {"cudnn_graph:relu6_mask+eng0[ARRAY_SIZE_PER_THREAD=3;OCCUPANCY=1]", "cudnn_legacy:relu6_mask+ex:spatial_persistent"}) {
    const std::string id = "batch_norm_relu6_bwd/mb2_c3_h5_w5/f16_f32_strict/nhwc/" + name;
    const auto parsed = parse_case_id(id);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(case_id(parsed->problem, parsed->algorithm), id);
  }
  for (const std::string name : {"eng0[OCCUPANCY=1]", "eng0[OCCUPANCY=1]+clip", "pick:heur_mode_a+clip"}) {
    const std::string id = "batch_norm_relu6_fwd/mb2_c3_h5_w5/bf16_f32_strict/nchw/cudnn_graph:" + name;
    const auto parsed = parse_case_id(id);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(case_id(parsed->problem, parsed->algorithm), id);
  }
}

}  // namespace
}  // namespace detbench
