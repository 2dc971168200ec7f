#include "kernels/fused_convolution/problem.hpp"

#include <gtest/gtest.h>

#include "fused_shapes.hpp"
#include "kernels/fused_convolution/operation.hpp"

namespace detbench {
namespace {

TEST(FusedProblem, GoesToItsTextAndBack) {
  for (const auto pattern : all_fused_patterns)
    for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16})
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto& p : testing::small_fused(pattern, storage, layout)) {
          const auto problem = to_problem(p);
          EXPECT_EQ(problem.op, op_name(pattern));
          const auto back = parse_fused_convolution(problem);
          ASSERT_TRUE(back) << back.error().text;
          EXPECT_EQ(*back, p);
        }
}

TEST(FusedProblem, HasTheTensorsOfItsPattern) {
  const auto roles = [](const std::vector<TensorSpec>& specs) {
    std::string text;
    for (const auto& spec : specs) text += spec.role + ":" + std::string(to_text(spec.type)) + " ";
    return text;
  };
  const auto bias = tensors_of(testing::small_fused(FusedPattern::bias_relu6, DataType::f16)[0]);
  EXPECT_EQ(roles(bias.inputs), "src:f16 weights:f16 bias:f32 ");
  EXPECT_EQ(roles(bias.outputs), "dst:f16 ");
  EXPECT_EQ(bias.inputs[2].shape, (Shape{32}));
  const auto stats = tensors_of(testing::small_fused(FusedPattern::stats, DataType::f16)[0]);
  EXPECT_EQ(roles(stats.inputs), "src:f16 weights:f16 ");
  EXPECT_EQ(roles(stats.outputs), "dst:f16 sum:f32 square_sum:f32 ");
}

TEST(FusedProblem, RefusesWhatIsNoneInOneLine) {
  auto good = to_problem(testing::small_fused(FusedPattern::stats)[0]);
  for (const auto& [op, layout, types] : std::vector<std::array<std::string, 3>>{{"conv_fwd", "nhwc", "f32_f32_strict"},
                                                                               {"conv_stats_fwd", "blocked", "f32_f32_strict"},
                                                                               {"conv_stats_fwd", "nhwc", "f64"},
                                                                               {"conv_stats_bwd", "nhwc", "f32_f32_strict"}}) {
    auto problem = good;
    problem.op = op, problem.layout = layout, problem.types = types;
    const auto parsed = parse_fused_convolution(problem);
    ASSERT_FALSE(parsed) << op << layout << types;
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
  }
}

// Batch norm's sums mix the samples of a batch; a bias and a clip do not.
TEST(FusedOperations, HaveABatchOnlyWithoutStatistics) {
  const auto operations = make_fused_convolution_operations();
  ASSERT_EQ(operations.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto p = testing::small_fused(all_fused_patterns[i])[3];
    EXPECT_EQ(operations[i]->op(), op_name(p.pattern));
    EXPECT_TRUE(operations[i]->check(to_problem(p)));
    EXPECT_GT(operations[i]->cost(to_problem(p)).flops, static_cast<const ConvolutionProblem&>(p).flops());
    EXPECT_EQ(operations[i]->batch_size(to_problem(p)).has_value(), p.pattern == FusedPattern::bias_relu6);
    EXPECT_NE(operations[i]->find_provider("cudnn_graph"), nullptr);
    EXPECT_NE(operations[i]->find_provider("fixed_order"), nullptr);
  }
}

}  // namespace
}  // namespace detbench
