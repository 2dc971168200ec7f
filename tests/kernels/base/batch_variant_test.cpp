#include "kernels/batch_variant.hpp"

#include <gtest/gtest.h>

namespace detbench {
namespace {

TensorSpec spec(const char* role, Shape shape) { return {role, DataType::f32, std::move(shape), {}}; }

TEST(BatchVariant, WhatGrowsIsSlicedAndWhatDoesNotIsShared) {
  const ProblemTensors before{{spec("src", {8, 3}), spec("weights", {5, 3}), spec("rows", {16})}, {spec("dst", {8, 5})}};
  const ProblemTensors after{{spec("src", {20, 3}), spec("weights", {5, 3}), spec("rows", {40})}, {spec("dst", {20, 5})}};
  const auto variant = make_batch_variant({"dense_fwd", "larger", "", ""}, before, after, 8, 20, 7);
  ASSERT_TRUE(variant) << variant.error().text;
  EXPECT_EQ(variant->problem.shape, "larger");
  ASSERT_EQ(variant->inputs.size(), 3u);
  ASSERT_TRUE(variant->inputs[0]);
  EXPECT_EQ(variant->inputs[0]->offset, 7);
  EXPECT_EQ(variant->inputs[0]->size, 8);
  EXPECT_FALSE(variant->inputs[1]);
  ASSERT_TRUE(variant->inputs[2]);  // two rows a sample
  EXPECT_EQ(variant->inputs[2]->offset, 14);
  EXPECT_EQ(variant->inputs[2]->size, 16);
  EXPECT_EQ(variant->outputs[0]->offset, 7);
}

TEST(BatchVariant, RefusesOutputsThatSumOverTheBatchAndSamplesThatDoNotFit) {
  const ProblemTensors before{{spec("src", {8, 3})}, {spec("diff_weights", {5, 3})}}, after{{spec("src", {9, 3})}, {spec("diff_weights", {5, 3})}};
  const auto sums = make_batch_variant({"dense_wgrad", "", "", ""}, before, after, 8, 9, 0);
  ASSERT_FALSE(sums);
  EXPECT_EQ(sums.error().kind, Reason::Kind::unsupported);
  EXPECT_EQ(sums.error().text, "'diff_weights' of dense_wgrad sums over the batch");

  const ProblemTensors outside{{spec("src", {9, 3})}, {spec("dst", {9, 3})}}, inside{{spec("src", {8, 3})}, {spec("dst", {8, 3})}};
  EXPECT_FALSE(make_batch_variant({}, inside, outside, 8, 9, 2));
  EXPECT_FALSE(make_batch_variant({}, inside, outside, 8, 9, -1));
  EXPECT_FALSE(make_batch_variant({}, inside, outside, 0, 9, 0));
  EXPECT_TRUE(make_batch_variant({}, inside, outside, 8, 9, 1));

  const ProblemTensors grows_elsewhere{{spec("src", {3, 9})}, {spec("dst", {9, 3})}}, before_it{{spec("src", {3, 8})}, {spec("dst", {8, 3})}};
  EXPECT_FALSE(make_batch_variant({}, before_it, grows_elsewhere, 8, 9, 0));
}

}  // namespace
}  // namespace detbench
