// The reference of fused convolutions finds what it is there to find.
#include "kernels/fused_convolution/reference.hpp"

#include <gtest/gtest.h>

#include "fused_shapes.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

class FusedReference : public ::testing::TestWithParam<InputFill> {
 protected:
  void prepare(FusedPattern pattern) {
    auto operations = make_fused_convolution_operations();
    operation_ = std::move(operations[pattern == FusedPattern::stats ? 1 : 0]);
    auto p = testing::small_fused(pattern)[4];  // depthwise: cheap, so that every output is checked
    p.mb = 1;
    problem_ = to_problem(p);
    algorithm_ = {"fixed_order", pattern == FusedPattern::stats ? "direct+chunks512" : "direct", {}, {}};
    ASSERT_TRUE(runner_.verify(*operation_, problem_, algorithm_, {GetParam(), 5}).passed);
    auto reference = operation_->reference(problem_, {GetParam(), 5});
    ASSERT_TRUE(reference) << reference.error().text;
    reference_ = std::move(*reference);
  }
  float& at(std::size_t output, std::size_t index) { return static_cast<float*>(runner_.outputs()[output].region.data)[index]; }
  std::size_t size(std::size_t output) { return static_cast<std::size_t>(element_count(runner_.outputs()[output].spec.shape)); }
  /// Changes one element for one check, which has to fail with a reason.
  void expect_found(std::size_t output, std::size_t index, float value) {
    const float before = at(output, index);
    at(output, index) = value;
    const auto found = reference_->check(algorithm_, runner_.outputs());
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_FALSE(found->passed) << "output " << output << "[" << index << "]: " << before << " became " << value;
    EXPECT_FALSE(found->reason.empty());
    at(output, index) = before;
  }

  testing::PlanRunner runner_;
  std::unique_ptr<Operation> operation_;
  Problem problem_;
  Algorithm algorithm_;
  std::unique_ptr<Reference> reference_;
};

TEST_P(FusedReference, FindsAWrongResultBehindABias) {
  prepare(FusedPattern::bias_relu6);
  std::size_t tried = 0;
  for (std::size_t i = 0; i < size(0); i += 7) {
    const float y = at(0, i);
    if (!(y > 0.5f && y < 5.5f)) continue;
    expect_found(0, i, y * (1 + 1e-4f));
    ++tried;
  }
  EXPECT_GT(tried, 10u);
  // Not clipped, not written.
  expect_found(0, 3, 6.5f);
  expect_found(0, 3, -1.0f);
  expect_found(0, 3, std::numeric_limits<float>::quiet_NaN());
  expect_found(0, size(0) - 1, std::numeric_limits<float>::quiet_NaN());
}

TEST_P(FusedReference, FindsWrongStatistics) {
  prepare(FusedPattern::stats);
  for (const std::size_t output : {1u, 2u})
    for (std::size_t c = 0; c < size(output); ++c) {
      // A sum may cancel, so what is missing is one pixel's worth.
      const float y = at(0, c), part = output == 1 ? y : y * y;
      if (std::abs(part) > 0.05f) expect_found(output, c, at(output, c) - part);
    }
  std::swap(at(2, 0), at(2, 1));
  EXPECT_FALSE(reference_->check(algorithm_, runner_.outputs())->passed);
  std::swap(at(2, 0), at(2, 1));
  EXPECT_TRUE(reference_->check(algorithm_, runner_.outputs())->passed);
  expect_found(1, 0, std::numeric_limits<float>::quiet_NaN());
  expect_found(0, 5, at(0, 5) + 1);
}

INSTANTIATE_TEST_SUITE_P(Fills, FusedReference, ::testing::Values(InputFill::exact, InputFill::rounding),
                         [](const auto& info) { return info.param == InputFill::exact ? "exact" : "rounding"; });

}  // namespace
}  // namespace detbench
