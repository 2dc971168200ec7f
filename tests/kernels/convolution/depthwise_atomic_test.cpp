// The provider cuda of convolutions: what it says on any machine, and its weight gradient where there is a GPU.
#include "kernels/convolution/depthwise_atomic.hpp"

#include <gtest/gtest.h>

#include "kernels/convolution/operation.hpp"
#include "layers.hpp"
#include "shapes.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

TEST(CudaConvolution, OffersOneRowWithTheReasonOnACpu) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  for (auto direction : all_directions) {
    auto p = testing::small_shapes()[4];
    p.direction = direction;
    const auto provider = make_cuda_convolution();
    EXPECT_EQ(provider->name(), "cuda");
    const auto offers = provider->offers(to_problem(p), **device);
    ASSERT_TRUE(offers) << offers.error().text;
    ASSERT_EQ(offers->size(), 1u);
    ASSERT_TRUE(offers->front().unsupported);
    EXPECT_EQ(offers->front().unsupported->kind, Reason::Kind::unsupported);
    EXPECT_FALSE(provider->plan(to_problem(p), {"cuda", "depthwise:atomic", {}, {}}, **device));
  }
}

class CudaConvolutionOnGpu : public testing::OnGpu {};

TEST_F(CudaConvolutionOnGpu, AgreesWithTheReference) {
  const auto operation = make_convolution_operation(Direction::wgrad);
  int ran = 0;
  for (auto p : testing::layer_shapes()) {
    p.direction = Direction::wgrad;
    if (!p.depthwise() || p.dh != 1) continue;
    for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict", "f16_f32_strict_dwf16", "bf16_f32_strict_dwbf16"}) {
      auto problem = to_problem(p);
      problem.types = types;
      for (auto fill : {InputFill::exact, InputFill::rounding})
        ran += testing::verify_offers(*operation, problem, {fill, 4}, *device_, [](std::string_view name) { return name == "cuda"; });
      ASSERT_TRUE(device_->usable()) << "after " << problem_id(problem);
    }
  }
  EXPECT_GT(ran, 80);
}

TEST_F(CudaConvolutionOnGpu, SaysWhatItDoesNotTake) {
  const auto provider = make_cuda_convolution();
  auto p = testing::small_shapes()[1];
  p.direction = Direction::wgrad;
  const auto offers = provider->offers(to_problem(p), *device_);
  ASSERT_TRUE(offers) << offers.error().text;
  ASSERT_EQ(offers->size(), 1u);
  EXPECT_TRUE(offers->front().unsupported);
}

}  // namespace
}  // namespace detbench
