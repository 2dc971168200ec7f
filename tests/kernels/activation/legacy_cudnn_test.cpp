// What cuDNN's legacy API lists for activations: its descriptors need no GPU.
#include <gtest/gtest.h>

#include "kernels/activation/activation.hpp"
#include "kernels/cudnn/library.hpp"
#include "tests/kernels/listed_gpu.hpp"

namespace detbench {
namespace {

TEST(LegacyActivation, EveryActivationIsListed) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const auto& operation : make_activation_operations()) {
    const std::string op(operation->op());
    if (op == "add") {
      EXPECT_EQ(operation->find_provider("cudnn_legacy"), nullptr);
      continue;
    }
    EXPECT_EQ(testing::listed(*operation, vector_problem(op, 100352), "cudnn_legacy"), op.starts_with("relu6") ? "clipped_relu" : op.substr(0, op.find('_')));
    EXPECT_NE(testing::listed(*operation, vector_problem(op, std::int64_t{1} << 32), "cudnn_legacy").find("too large"), std::string::npos);
    EXPECT_EQ(testing::listed(*operation, vector_problem(op, 100352), "fixed_order"), "elementwise");
  }
}

}  // namespace
}  // namespace detbench
