// Padding by hand: the planner against fp64 sums, the index arithmetic against a plain loop, the kernels on a GPU where
// there is one.
#include "kernels/convolution/pad.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "kernels/convolution/reference.hpp"
#include "kernels/device/device.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

ConvolutionProblem layer(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t before, std::int64_t after) {
  ConvolutionProblem p;
  p.ih = p.iw = size, p.kh = p.kw = kernel, p.sh = p.sw = stride;
  p.pt = p.pl = before, p.pb = p.pr = after;
  return p;
}

TEST(SymmetricForm, IsTheProblemItselfWherePadsAreEqual) {
  for (auto p : {layer(14, 3, 1, 1, 1), layer(14, 5, 2, 2, 2), layer(7, 1, 1, 0, 0), layer(8, 1, 2, 0, 0)}) {
    const auto form = symmetric_form(p);
    EXPECT_EQ(form.problem, p);
    EXPECT_FALSE(form.by_hand.any());
    EXPECT_EQ(form.workspace_bytes(), 0u);
  }
}

TEST(SymmetricForm, AddsLeast) {
  // Keras's stride-2 layers on even sizes: one row below, one column to the right.
  EXPECT_EQ(symmetric_form(layer(224, 3, 2, 0, 1)).by_hand, (Padding{0, 1, 0, 1}));
  // A 5x5 of the same kind: only the difference is added, the rest is the library's.
  const auto five = symmetric_form(layer(28, 5, 2, 1, 2));
  EXPECT_EQ(five.by_hand, (Padding{0, 1, 0, 1}));
  EXPECT_EQ(five.problem.pt, 1);
  EXPECT_EQ(five.problem.pb, 1);
  // The stride skips the last column here, so the missing pad is never read.
  EXPECT_FALSE(symmetric_form(layer(17, 3, 2, 0, 1)).by_hand.any());
  // More above than below, and one more row below would not make room for another output.
  const auto more_above = symmetric_form(layer(8, 4, 3, 2, 0));
  EXPECT_FALSE(more_above.by_hand.any());
  EXPECT_EQ(more_above.problem.pt, 2);
  // One row below fits, two do not.
  const auto between = symmetric_form(layer(9, 4, 3, 2, 0));
  EXPECT_EQ(between.by_hand, (Padding{1, 0, 1, 0}));
  EXPECT_EQ(between.problem.pt, 1);
  // The same where it would: the difference goes above.
  EXPECT_EQ(symmetric_form(layer(8, 3, 1, 2, 0)).by_hand, (Padding{2, 0, 2, 0}));
}

TEST(SymmetricForm, CountsTheMemoryOfThePaddedImage) {
  auto p = layer(8, 3, 2, 0, 1);
  p.mb = 3, p.ic = 5;
  EXPECT_EQ(symmetric_form(p).workspace_bytes(), (3u * 9 * 9 * 5 * 4 + 255) / 256 * 256);
  p.types.storage = DataType::f16;
  EXPECT_EQ(symmetric_form(p).workspace_bytes(), (3u * 9 * 9 * 5 * 2 + 255) / 256 * 256);
}

/// Every axis there is, in small: the form keeps the output's size and adds no more than any other form would.
TEST(SymmetricForm, KeepsTheOutputAndIsNoWorseThanAnyOther) {
  for (std::int64_t size = 1; size <= 9; ++size)
    for (std::int64_t kernel = 1; kernel <= 5; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t before = 0; before < kernel; ++before)
          for (std::int64_t after = 0; after < kernel; ++after) {
            if (size + before + after < kernel) continue;
            const auto p = layer(size, kernel, stride, before, after);
            const auto form = symmetric_form(p);
            ASSERT_EQ(form.problem.oh(), p.oh());
            ASSERT_EQ(form.problem.ow(), p.ow());
            ASSERT_EQ(form.by_hand.top + form.problem.pt, before);
            ASSERT_EQ(form.problem.pt, form.problem.pb);
            for (std::int64_t q = 0; q <= before; ++q)
              for (std::int64_t b = 0; b <= kernel; ++b) {
                const auto room = size + before + q + b - kernel;
                if (room < 0 || room / stride + 1 != p.oh()) continue;
                ASSERT_LE(form.by_hand.top + form.by_hand.bottom, before - q + b)
                    << size << " " << kernel << " " << stride << " " << before << " " << after;
              }
          }
}

std::vector<float> values_of(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 15) - 7);
  return values;
}

TensorSpec image_spec(const ConvolutionProblem& p) {
  auto forward = p;
  forward.direction = Direction::forward;
  return tensors_of(forward).inputs[0];
}

std::vector<float> padded_on_host(const ConvolutionProblem& p, const SymmetricForm& form, const std::vector<float>& image) {
  const auto rows = padded_rows(image_spec(p), form.by_hand);
  EXPECT_TRUE(rows);
  std::vector<float> padded(static_cast<std::size_t>(rows->padded_units()));
  for (std::int64_t i = 0; i < rows->padded_units(); ++i) {
    const auto source = rows->source(i);
    padded[static_cast<std::size_t>(i)] = source < 0 ? 0.0f : image[static_cast<std::size_t>(source)];
  }
  return padded;
}

/// The form's answer is the asked problem's, in all three directions, on integers that sum exactly.
TEST(SymmetricForm, GivesTheSameSums) {
  for (auto p : testing::small_shapes())
    for (const auto direction : all_directions) {
      p.direction = direction;
      const auto form = symmetric_form(p);
      const auto src = values_of(p.src_shape(), 1), weights = values_of(p.weights_shape(), 2), diff_dst = values_of(p.dst_shape(), 3);
      const auto src_of_form = padded_on_host(p, form, src);
      const auto& first = direction == Direction::dgrad ? diff_dst : src;
      const auto& first_of_form = direction == Direction::dgrad ? diff_dst : src_of_form;
      const auto& second = direction == Direction::wgrad ? diff_dst : weights;
      const auto rows = padded_rows(image_spec(p), form.by_hand);
      ASSERT_TRUE(rows);
      const auto elements = element_count(tensors_of(p).outputs[0].shape);
      for (std::int64_t i = 0; i < elements; ++i) {
        const auto there = direction == Direction::dgrad ? rows->target(i) : i;
        ASSERT_EQ(convolution_output(p, first.data(), second.data(), i).value,
                  convolution_output(form.problem, first_of_form.data(), second.data(), there).value)
            << problem_id(to_problem(p)) << " at " << i;
      }
    }
}

/// Every index of both images against a plain loop over logical coordinates.
TEST(PaddedRows, AgreesWithAPlainLoop) {
  const Padding padding{1, 2, 3, 0};
  for (const char* layout : {"nhwc", "nchw"}) {
    const Shape small{2, 3, 5, 4}, large{2, 6, 8, 4};
    const TensorSpec image{"src", DataType::f32, small, *activation_layout(small, layout)};
    const auto outer = *activation_layout(large, layout);
    const auto rows = padded_rows(image, padding);
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->image_units(), element_count(small));
    ASSERT_EQ(rows->padded_units(), element_count(large));
    std::int64_t inside = 0;
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t y = 0; y < 6; ++y)
        for (std::int64_t x = 0; x < 8; ++x)
          for (std::int64_t c = 0; c < 4; ++c) {
            const std::int64_t there[] = {n, y, x, c}, here[] = {n, y - 1, x - 3, c};
            if (y < 1 || y >= 4 || x < 3) {
              ASSERT_EQ(rows->source(outer.offset(there)), -1);
              continue;
            }
            ++inside;
            ASSERT_EQ(rows->source(outer.offset(there)), image.layout.offset(here));
            ASSERT_EQ(rows->target(image.layout.offset(here)), outer.offset(there));
          }
    EXPECT_EQ(inside, element_count(small));
  }
}

TEST(PaddedRows, CountsBeyond31Bits) {
  // 2^31 units and more take the other division; a few places decide.
  const auto rows = PaddedRows::of(70000, 200, 200, 1, 1, 2, 0);
  ASSERT_FALSE(rows.narrow);
  const std::int64_t plane = 202 * 202, last = rows.image_units() - 1;
  EXPECT_EQ(rows.target(0), 202 + 2);
  EXPECT_EQ(rows.source(202 + 2), 0);
  EXPECT_EQ(rows.target(last), 69999 * plane + 200 * 202 + 201);
  EXPECT_EQ(rows.source(rows.target(last)), last);
  EXPECT_EQ(rows.source(rows.padded_units() - 1), -1);
}

TEST(PaddedRows, TakesTheWidestUnitThatFits) {
  alignas(16) char memory[64];
  const auto rows = PaddedRows::of(2, 3, 24, 0, 1, 0, 8);
  EXPECT_EQ(unit_bytes(rows, 4, memory, memory), 16u);
  EXPECT_EQ(unit_bytes(rows, 4, memory + 8, memory), 8u);
  EXPECT_EQ(unit_bytes(rows, 4, memory, memory + 4), 4u);
  EXPECT_EQ(unit_bytes(PaddedRows::of(2, 3, 24, 0, 1, 0, 3), 2, memory, memory), 2u);
  EXPECT_EQ(unit_bytes(PaddedRows::of(2, 3, 22, 0, 1, 0, 2), 2, memory, memory), 4u);
  const auto wide = in_units(rows, 4);
  EXPECT_EQ(wide.length, 6);
  EXPECT_EQ(wide.right, 2);
  EXPECT_EQ(wide.padded_units() * 4, rows.padded_units());
}

TEST(PaddedRows, RefusesOtherLayouts) {
  const Shape shape{1, 4, 4, 16};
  EXPECT_FALSE(padded_rows({"src", DataType::f32, shape, *activation_layout(shape, "nchw8c")}, {0, 1, 0, 1}));
  EXPECT_FALSE(padded_rows({"mean", DataType::f32, {16}, canonical_layout({16})}, {0, 1, 0, 1}));
}

/// On a GPU: pad and crop copy the very bits, at aligned and unaligned addresses, in 2 and 4 byte elements.
TEST(PadOnGpu, CopiesBitsExactly) {
  for (const std::size_t offset : {0, 8, 4}) {
    DeviceConfiguration configuration;
    configuration.offset_bytes = offset;
    auto device = make_cuda_device(configuration);
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    ASSERT_TRUE((*device)->activate());
    auto stream = (*device)->make_stream();
    ASSERT_TRUE(stream);
    for (const auto type : {DataType::f32, DataType::f16, DataType::bf16})
      for (const char* layout : {"nhwc", "nchw"})
        for (const std::int64_t channels : {1, 3, 8, 32})
          for (const auto& padding : {Padding{0, 1, 0, 1}, Padding{2, 0, 1, 0}, Padding{1, 2, 3, 4}}) {
            const Shape shape{2, 13, 9, channels};
            const TensorSpec spec{"src", type, shape, *activation_layout(shape, layout)};
            const auto rows = padded_rows(spec, padding);
            ASSERT_TRUE(rows);
            const auto size = size_of(type), padded_bytes = static_cast<std::size_t>(rows->padded_units()) * size;
            std::vector<unsigned char> image(spec.bytes()), expected(padded_bytes), padded(padded_bytes), cropped(spec.bytes());
            std::iota(image.begin(), image.end(), static_cast<unsigned char>(1));  // NaN patterns among them
            for (std::int64_t i = 0; i < rows->padded_units(); ++i)
              if (const auto s = rows->source(i); s >= 0)
                std::copy_n(image.begin() + s * static_cast<std::int64_t>(size), size, expected.begin() + i * static_cast<std::int64_t>(size));
            auto a = (*device)->allocate(spec.bytes()), b = (*device)->allocate(padded_bytes), c = (*device)->allocate(spec.bytes());
            ASSERT_TRUE(a && b && c);
            ASSERT_TRUE((*device)->copy_from_host((*a)->region(), image.data(), **stream));
            ASSERT_TRUE((*device)->poison((*b)->region(), Poison::nan_pattern, 1, **stream));
            ASSERT_TRUE((*device)->poison((*c)->region(), Poison::nan_pattern, 1, **stream));
            auto status = enqueue_pad(spec, padding, (*a)->region().data, (*b)->region().data, (*stream)->native());
            ASSERT_TRUE(status) << status.error().text;
            status = enqueue_crop(spec, padding, (*b)->region().data, (*c)->region().data, (*stream)->native());
            ASSERT_TRUE(status) << status.error().text;
            ASSERT_TRUE((*device)->copy_to_host(padded.data(), (*b)->region(), **stream));
            ASSERT_TRUE((*device)->copy_to_host(cropped.data(), (*c)->region(), **stream));
            EXPECT_EQ(padded, expected) << to_text(type) << " " << layout << " " << channels;
            EXPECT_EQ(cropped, image) << to_text(type) << " " << layout << " " << channels;
            EXPECT_FALSE((*b)->damaged_guard());
            EXPECT_FALSE((*c)->damaged_guard());
          }
  }
}

}  // namespace
}  // namespace detbench
