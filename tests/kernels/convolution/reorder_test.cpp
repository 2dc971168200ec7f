#include "kernels/device/reorder.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/device/onednn.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench {
namespace {

/// Filters blocked over input and output channels, as JIT kernels like them: OIhw16i16o of oneDNN, for one group.
TensorSpec blocked_filter(std::int64_t k, std::int64_t r, std::int64_t s, std::int64_t c) {
  const std::int64_t i = (c + 15) / 16, o = (k + 15) / 16;
  return {"weights", DataType::f32, {1, k, r, s, c},
          {{o * i * r * s * 256, i * r * s * 256, s * 256, 256, r * s * 256}, {{4, 16}, {1, 16}}, o * i * r * s * 256}};
}

struct Pair {
  TensorSpec from, to;
};

std::vector<Pair> pairs() {
  const Shape activations{2, 5, 4, 37}, filters{1, 20, 3, 2, 18}, grouped{24, 1, 3, 3, 1};
  const auto spec = [](const Shape& shape, const std::string& name, DataType type = DataType::f32) {
    return TensorSpec{"x", type, shape, *activation_layout(shape, name)};
  };
  const TensorSpec plain{"weights", DataType::f32, filters, canonical_layout(filters)};
  const TensorSpec goihw{"weights", DataType::f32, grouped, permuted_layout(grouped, {0, 1, 4, 2, 3})};
  const TensorSpec hwigo{"weights", DataType::f32, grouped, permuted_layout(grouped, {2, 3, 4, 0, 1})};
  return {{spec(activations, "nhwc"), spec(activations, "nchw")},
          {spec(activations, "nhwc"), spec(activations, "nchw16c")},
          {spec(activations, "nchw8c"), spec(activations, "nchw")},
          {spec(activations, "nchw16c", DataType::bf16), spec(activations, "nhwc", DataType::bf16)},
          {plain, blocked_filter(20, 3, 2, 18)},
          {blocked_filter(20, 3, 2, 18), plain},
          {goihw, hwigo}};
}

std::vector<std::byte> moved(Plan& plan, const std::vector<std::byte>& source) {
  auto device = make_cpu_device().value();
  auto stream = device->make_stream().value();
  std::vector<std::byte> in = source, out(plan.outputs()[0].bytes(), std::byte{0xFF}), workspace(plan.workspace_bytes() + 64);
  const Tensor from{plan.inputs()[0], {in.data(), in.size()}}, to{plan.outputs()[0], {out.data(), out.size()}};
  auto op = plan.bind({&from, 1}, {&to, 1}, {workspace.data(), workspace.size()}, *stream);
  EXPECT_TRUE(op);
  EXPECT_TRUE((*op)->enqueue());
  return out;
}

TEST(Reorder, MovesEveryElementToItsPlaceAndZeroesThePadding) {
  auto device = make_cpu_device().value();
  for (const auto& [from, to] : pairs()) {
    std::vector<std::byte> source(from.bytes());
    ASSERT_TRUE(fill_on_host({from, {source.data(), source.size()}}, {FillSpec::Kind::normal, 1, "x", 1.0, 1, 1.0}));
    // Filling the target's layout is an independent statement of where each element belongs.
    std::vector<std::byte> expected(to.bytes());
    ASSERT_TRUE(fill_on_host({to, {expected.data(), expected.size()}}, {FillSpec::Kind::normal, 1, "x", 1.0, 1, 1.0}));
    for (auto make : {plan_reorder, plan_own_reorder}) {
      auto plan = make(from, to, *device);
      ASSERT_TRUE(plan) << plan.error().text;
      EXPECT_EQ(moved(**plan, source), expected) << describe_layout(from) << " to " << describe_layout(to);
    }
    if (onednn_version()) {
      auto plan = plan_onednn_reorder(from, to, *device);
      ASSERT_TRUE(plan) << plan.error().text;
      EXPECT_EQ(moved(**plan, source), expected) << describe_layout(from) << " to " << describe_layout(to);
    }
  }
}

TEST(Reorder, RefusesAnotherShapeOrType) {
  auto device = make_cpu_device().value();
  const Shape shape{1, 2, 2, 3};
  const TensorSpec a{"x", DataType::f32, shape, canonical_layout(shape)};
  auto other_type = a, other_shape = a;  // from type to type: tests/kernels/device/reorder_types_test.cpp
  other_type.type = DataType::i32;
  other_shape.shape = {1, 2, 3, 2};
  other_shape.layout = canonical_layout(other_shape.shape);
  EXPECT_FALSE(plan_reorder(a, other_type, *device));
  EXPECT_FALSE(plan_reorder(a, other_shape, *device));
}

}  // namespace
}  // namespace detbench
