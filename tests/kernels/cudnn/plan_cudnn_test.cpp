#include "graphs.hpp"

namespace detbench {
namespace {

using testing::Cudnn;
using testing::dense_3x3;
using testing::depthwise_3x3;
using testing::graph_of;

// The JSON of a plan is its identity: replayed it gives the same bytes and the same workspace.
TEST_F(Cudnn, APlanIsReplayedFromItsJson) {
  int built = 0;
  for (const auto direction : testing::directions) {
    const auto graph = graph_of(dense_3x3(direction));
    for (const auto& engine : finalized(graph)) {
      if (engine.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) continue;
      const auto checked = cudnn::check(engine, {engine.index, {}});
      if (checked.support != cudnn::Support::valid) continue;
      const auto plan = cudnn::build_execution_plan(checked, target());
      if (!plan) continue;  // some kernels want a device already here
      EXPECT_EQ(plan->workspace_bytes, checked.workspace_bytes) << engine.index;
      EXPECT_NE(plan->json.find("\"engineId\":" + std::to_string(engine.index)), std::string::npos);
      const auto again = cudnn::replay_execution_plan(plan->json, target());
      ASSERT_TRUE(again) << engine.index << ": " << again.error().text;
      EXPECT_EQ(again->json, plan->json);
      EXPECT_EQ(again->workspace_bytes, plan->workspace_bytes);
      ++built;
    }
  }
  EXPECT_GE(built, 30);
}

// So candidates of one graph that differ as configurations differ as plans, and the search need not build any.
TEST_F(Cudnn, ConfigurationsThatDifferHavePlansThatDiffer) {
  const auto graph = graph_of(dense_3x3(Direction::wgrad));
  const auto engine = cudnn::describe_engine(graph, target(), 1);
  if (!engine.finalized() || engine.knobs.empty()) GTEST_SKIP() << "engine 1 of cuDNN " << *cudnn_version() << " has no knobs";
  const auto json = [&](const cudnn::Configuration& configuration) {
    const auto plan = cudnn::build_execution_plan(cudnn::check(engine, configuration), target());
    EXPECT_TRUE(plan) << plan.error().text;
    return plan ? plan->json : std::string();
  };
  const auto& knob = engine.knobs.front();
  const auto automatic = json({1, {}}), least = json({1, {{knob.type, knob.minimum}}});
  EXPECT_NE(automatic, least);
  EXPECT_EQ(least, json({1, {{knob.type, knob.minimum}}}));
}

TEST_F(Cudnn, NonsenseIsNoPlan) {
  for (const char* text : {"", "{}", "nonsense", "{\"cudnnVersion\":91900}"}) {
    const auto plan = cudnn::replay_execution_plan(text, target());
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(cudnn::replay_execution_plan("{}", cudnn::Target())) << "with no device at all the library would crash";
  EXPECT_FALSE(cudnn::build_execution_plan(cudnn::Checked{}, target()));
}

TEST_F(Cudnn, NonsenseIsNoGraph) {
  auto builder = cudnn::GraphBuilder::make().value();
  const auto tensor = [&](std::int64_t uid, std::vector<std::int64_t> dims, std::vector<std::int64_t> strides) {
    cudnn::GraphTensor t;
    t.uid = uid, t.dims = std::move(dims), t.strides = std::move(strides);
    return builder.tensor(t);
  };
  const auto x = tensor(1, {2, 3, 8, 8}, {192, 64, 8, 1}), w = tensor(2, {4, 3, 3, 3}, {27, 9, 3, 1}), y = tensor(3, {2, 5, 6, 6}, {180, 36, 6, 1});
  builder.convolution({}, x, w, y);  // 4 filters, 5 channels
  const auto graph = builder.build();
  ASSERT_FALSE(graph);
  EXPECT_FALSE(graph.error().text.empty());
  auto empty = cudnn::GraphBuilder::make().value();
  EXPECT_FALSE(empty.build());
  auto misaligned = cudnn::GraphBuilder::make().value();
  cudnn::GraphTensor t{1, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, 2, false, false};
  misaligned.tensor(t);
  EXPECT_FALSE(misaligned.build());
}

}  // namespace
}  // namespace detbench
