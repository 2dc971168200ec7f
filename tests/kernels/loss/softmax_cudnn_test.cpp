// What cuDNN's legacy API lists for softmax: its descriptors need no GPU.
#include <gtest/gtest.h>

#include "kernels/cudnn/library.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/loss/softmax.hpp"
#include "tests/kernels/listed_gpu.hpp"

namespace detbench {
namespace {

TEST(LegacySoftmax, EveryAlgorithmOverBothModesIsListed) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const auto& operation : make_softmax_operations()) {
    const std::string op(operation->op());
    EXPECT_EQ(testing::listed(*operation, softmax_problem(op, 32, 1000), "cudnn_legacy"),
              op.starts_with("log") ? "log:instance; log:channel" : "accurate:instance; accurate:channel; fast:instance; fast:channel");
  }
}

TEST(LegacySoftmax, OursAreListedForAGpu) {
  const auto operation = make_softmax_cross_entropy_operation();
  EXPECT_EQ(testing::listed(*operation, softmax_cross_entropy_problem(8, 10), "fixed_order"), "lanes");
  EXPECT_EQ(testing::listed(*operation, softmax_cross_entropy_problem(8, 10), "cuda_atomic"), "row_then_atomic");
}

}  // namespace
}  // namespace detbench
