// Fixed-order convolutions on a GPU, where there is one: the bits of the CPU's, launched and captured.
#include <gtest/gtest.h>

#include "kernels/convolution/operation.hpp"
#include "layers.hpp"
#include "shapes.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

constexpr const char* all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

class FixedOrderOnGpu : public testing::OnGpu, public ::testing::WithParamInterface<Direction> {
 protected:
  static std::string algorithm() { return GetParam() == Direction::wgrad ? "fixed_order:chunked64" : "fixed_order:direct"; }
  void expect_cpu_bits(const std::vector<ConvolutionProblem>& problems, std::initializer_list<const char*> types, InputFill fill) {
    const auto operation = make_convolution_operation(GetParam());
    for (auto p : problems) {
      p.direction = GetParam();
      auto problem = to_problem(p);
      for (const char* type : types) {
        problem.types = type;
        testing::expect_cpu_bits(*operation, problem, algorithm(), {fill, 31}, *device_);
        ASSERT_TRUE(device_->usable()) << "after " << problem_id(problem);
      }
    }
  }
};

TEST_P(FixedOrderOnGpu, SmallShapesHaveTheCpusBits) {
  auto shapes = testing::small_shapes();
  shapes.push_back(testing::padded_by_hand());
  for (auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide})
    expect_cpu_bits(shapes, {all_types[0], all_types[1], all_types[2]}, fill);
}

TEST_P(FixedOrderOnGpu, LayersHaveTheCpusBits) {
  expect_cpu_bits(testing::layer_shapes(), {all_types[0], all_types[1], all_types[2]}, InputFill::rounding);
}

/// Such a gradient is rounded from the chunks' parts, also where there is one chunk.
TEST_P(FixedOrderOnGpu, WeightGradientsIn16BitsHaveTheCpusBits) {
  if (GetParam() != Direction::wgrad) GTEST_SKIP() << "only a weight gradient has a type of its own";
  for (const auto& shapes : {testing::small_shapes(), testing::layer_shapes()})
    expect_cpu_bits(shapes, {"f16_f32_strict_dwf16", "bf16_f32_strict_dwbf16"}, InputFill::rounding);
}

TEST_P(FixedOrderOnGpu, AgreesWithTheReferenceAndCanBeCaptured) {
  const auto operation = make_convolution_operation(GetParam());
  int ran = 0;
  for (auto p : testing::small_shapes()) {
    p.direction = GetParam();
    for (const char* types : all_types) {
      auto problem = to_problem(p);
      problem.types = types;
      for (auto fill : {InputFill::exact, InputFill::rounding})
        ran += testing::verify_offers(*operation, problem, {fill, 3}, *device_, [](std::string_view name) { return name == "fixed_order"; });
    }
  }
  EXPECT_EQ(ran, static_cast<int>(testing::small_shapes().size()) * 6);
}

TEST_P(FixedOrderOnGpu, RunsWhereBuffersBeginAtAnyElement) {
  DeviceConfiguration configuration;
  const auto operation = make_convolution_operation(GetParam());
  for (std::size_t offset : {4, 8}) {  // workspaces of f32 parts begin there too
    configuration.offset_bytes = offset;
    auto device = make_cuda_device(configuration);
    ASSERT_TRUE(device) << device.error().text;
    for (auto p : testing::small_shapes()) {
      p.direction = GetParam();
      for (const char* types : all_types) {
        auto problem = to_problem(p);
        problem.types = types;
        testing::expect_cpu_bits(*operation, problem, algorithm(), {InputFill::rounding, 31}, **device);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Directions, FixedOrderOnGpu, ::testing::ValuesIn(all_directions),
                         [](const auto& info) { return std::string(op_name(info.param)); });

}  // namespace
}  // namespace detbench
