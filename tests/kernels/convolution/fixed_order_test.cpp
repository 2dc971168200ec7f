#include "kernels/convolution/fixed_order.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/reference.hpp"
#include "kernels/device/soft_fma.hpp"
#include "runner.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

/// The stated order, written from its text alone: plain loops and the C library's fmaf.
std::vector<float> naive(const ConvolutionProblem& p, const std::vector<float>& first, const std::vector<float>& second) {
  const std::int64_t icg = p.icg(), ocg = p.ocg(), oh = p.oh(), ow = p.ow();
  const auto at = [](const std::vector<float>& v, std::int64_t i) { return v[static_cast<std::size_t>(i)]; };
  std::vector<float> out;
  if (p.direction == Direction::forward) {
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t y = 0; y < oh; ++y)
        for (std::int64_t x = 0; x < ow; ++x)
          for (std::int64_t k = 0; k < p.oc; ++k) {
            float acc = 0;
            for (std::int64_t r = 0; r < p.kh; ++r)
              for (std::int64_t s = 0; s < p.kw; ++s)
                for (std::int64_t c = 0; c < icg; ++c) {
                  const std::int64_t h = y * p.sh - p.pt + r * p.dh, w = x * p.sw - p.pl + s * p.dw;
                  const bool inside = h >= 0 && h < p.ih && w >= 0 && w < p.iw;
                  const float a = inside ? at(first, ((n * p.ih + h) * p.iw + w) * p.ic + k / ocg * icg + c) : 0.0f;
                  acc = std::fmaf(a, at(second, ((k * p.kh + r) * p.kw + s) * icg + c), acc);
                }
            out.push_back(acc);
          }
  } else if (p.direction == Direction::dgrad) {
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t h = 0; h < p.ih; ++h)
        for (std::int64_t w = 0; w < p.iw; ++w)
          for (std::int64_t c = 0; c < p.ic; ++c) {
            float acc = 0;
            for (std::int64_t r = 0; r < p.kh; ++r)
              for (std::int64_t s = 0; s < p.kw; ++s) {
                const std::int64_t y = h + p.pt - r * p.dh, x = w + p.pl - s * p.dw;
                if (y % p.sh != 0 || x % p.sw != 0) continue;
                for (std::int64_t k = 0; k < ocg; ++k) {
                  const std::int64_t oc = c / icg * ocg + k;
                  const bool inside = y >= 0 && y / p.sh < oh && x >= 0 && x / p.sw < ow;
                  const float a = inside ? at(first, ((n * oh + y / p.sh) * ow + x / p.sw) * p.oc + oc) : 0.0f;
                  acc = std::fmaf(a, at(second, ((oc * p.kh + r) * p.kw + s) * icg + c % icg), acc);
                }
              }
            out.push_back(acc);
          }
  } else {
    const std::int64_t rows = p.mb * oh, step = wgrad_chunk_rows(p);
    for (std::int64_t k = 0; k < p.oc; ++k)
      for (std::int64_t r = 0; r < p.kh; ++r)
        for (std::int64_t s = 0; s < p.kw; ++s)
          for (std::int64_t c = 0; c < icg; ++c) {
            float total = 0;
            for (std::int64_t begin = 0; begin < rows; begin += step) {
              float acc = 0;
              for (std::int64_t row = begin; row < std::min(rows, begin + step); ++row)
                for (std::int64_t x = 0; x < ow; ++x) {
                  const std::int64_t n = row / oh, h = row % oh * p.sh - p.pt + r * p.dh, w = x * p.sw - p.pl + s * p.dw;
                  if (h < 0 || h >= p.ih || w < 0 || w >= p.iw) continue;
                  acc = std::fmaf(at(second, (row * ow + x) * p.oc + k),
                                  at(first, ((n * p.ih + h) * p.iw + w) * p.ic + k / ocg * icg + c), acc);
                }
              total = begin == 0 ? acc : total + acc;
            }
            out.push_back(total);
          }
  }
  return out;
}

std::vector<ConvolutionProblem> problems(Direction direction) {
  auto shapes = testing::small_shapes();
  for (auto& p : shapes) p.direction = direction;
  // Enough output rows for many chunks of a weight gradient.
  ConvolutionProblem tall;
  tall.mb = 3, tall.g = 1, tall.ic = 5, tall.oc = 7, tall.ih = 90, tall.iw = 31, tall.direction = direction;
  shapes.push_back(tall);
  tall.g = tall.ic = tall.oc = 37, tall.kh = tall.kw = 3, tall.pt = tall.pb = tall.pl = tall.pr = 1;
  shapes.push_back(tall);
  return shapes;
}

std::vector<std::pair<Direction, DataType>> directions_in(std::initializer_list<DataType> types) {
  std::vector<std::pair<Direction, DataType>> all;
  for (auto direction : all_directions)
    for (auto type : types) all.emplace_back(direction, type);
  return all;
}

Algorithm fixed_order_of(Direction direction) {
  return {"fixed_order", direction == Direction::wgrad ? "chunked64" : "direct", {}, {}};
}

TEST(FixedOrder, BitsAreThoseOfTheStatedOrder) {
  for (auto direction : all_directions) {
    const auto operation = make_convolution_operation(direction);
    for (const auto& p : problems(direction)) {
      const auto problem = to_problem(p);
      SCOPED_TRACE(problem_id(problem));
      const Inputs inputs{InputFill::rounding, 11};
      std::vector<std::vector<float>> values;
      for (const auto& spec : tensors_of(p).inputs)
        values.push_back(filled_values(spec.type, spec.shape, *convolution_fill(p, spec, inputs)).value());
      const auto expected = naive(p, values[0], values[1]);
      const auto run = testing::run(*operation, problem, fixed_order_of(direction), inputs);
      ASSERT_TRUE(run) << run.error().text;
      const auto* got = static_cast<const float*>(run->outputs[0].region.data);
      std::int64_t differing = 0;
      for (std::size_t i = 0; i < expected.size(); ++i)
        differing += std::bit_cast<std::uint32_t>(got[i]) != std::bit_cast<std::uint32_t>(expected[i]);
      EXPECT_EQ(differing, 0);
      EXPECT_TRUE(run->guards_intact);
    }
  }
}

TEST(FixedOrder, BitsDoNotDependOnThreadsInstructionSetOrLayout) {
  for (auto direction : all_directions) {
    const auto operation = make_convolution_operation(direction);
    for (auto p : problems(direction)) {
      const Inputs inputs{InputFill::rounding, 12};
      const auto first = testing::run(*operation, to_problem(p), fixed_order_of(direction), inputs, 1);
      ASSERT_TRUE(first) << first.error().text;
      const auto expect_same = [&](const std::string& layout, const Options& options, int threads) {
        p.layout = layout;
        auto algorithm = fixed_order_of(direction);
        algorithm.options = options;
        const auto run = testing::run(*operation, to_problem(p), algorithm, inputs, threads, Poison::random);
        ASSERT_TRUE(run) << run.error().text;
        EXPECT_EQ(run->digest, first->digest) << case_id(to_problem(p), algorithm) << " on " << threads << " threads";
      };
      for (int threads : {2, 3, 4, 8}) expect_same("nhwc", {}, threads);
      for (auto set : all_instruction_sets)
        if (cpu_has(set)) expect_same("nhwc", {{"isa", std::string(to_text(set))}}, 2);
      expect_same("blocked", {}, 2);
      expect_same("nchw", {}, 2);
    }
  }
}

TEST(FixedOrder, SixteenBitsAreTheF32AnswerToWidenedInputsRoundedOnce) {
  for (auto [direction, storage] : directions_in({DataType::f16, DataType::bf16})) {
    const auto operation = make_convolution_operation(direction);
    for (auto p : testing::small_shapes()) {
      p.direction = direction;
      p.types.storage = storage;
      const auto problem = to_problem(p);
      SCOPED_TRACE(problem_id(problem));
      for (auto fill : {InputFill::exact, InputFill::rounding}) {
        const auto run = testing::run(*operation, problem, fixed_order_of(direction), {fill, 3});
        ASSERT_TRUE(run) << run.error().text;
        const auto reference = operation->reference(problem, {fill, 3});
        ASSERT_TRUE(reference) << reference.error().text;
        const auto verification = (*reference)->check(fixed_order_of(direction), run->outputs);
        ASSERT_TRUE(verification) << verification.error().text;
        EXPECT_TRUE(verification->passed) << verification->reason;
      }
    }
  }
}

TEST(FixedOrder, RefusesWhatItDoesNotKnowWithAReason) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  const auto provider = make_fixed_order_convolution();
  auto p = testing::small_shapes()[0];
  for (const auto& options : {Options{{"isa", "sse9"}}, Options{{"threads", "3"}}})
    EXPECT_FALSE(provider->plan(to_problem(p), {"fixed_order", "direct", options, {}}, **device));
  EXPECT_FALSE(provider->plan(to_problem(p), {"fixed_order", "chunked64", {}, {}}, **device));
  p.types.tf32 = true;
  const auto offers = provider->offers(to_problem(p), **device);
  ASSERT_TRUE(offers);
  ASSERT_TRUE(offers->front().unsupported);
  EXPECT_EQ(offers->front().unsupported->kind, Reason::Kind::unsupported);
}

TEST(SoftFma, AgreesWithTheCLibrary) {
  std::mt19937_64 random(5);
  const auto same = [](float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
  };
  for (int i = 0; i < 2'000'000; ++i) {
    float x[3];
    for (auto& value : x) value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    // Half of the time a third operand near the product, where cancellation and double rounding happen.
    if (i % 2) x[2] = -std::nextafter(x[0] * x[1], i % 4 == 1 ? 0.0f : 1e30f);
    if (i % 8 == 3) x[2] = std::ldexp(x[0] * x[1], static_cast<int>(random() % 60) - 30);
    ASSERT_TRUE(same(soft_fma(x[0], x[1], x[2]), std::fmaf(x[0], x[1], x[2]))) << x[0] << " " << x[1] << " " << x[2];
  }
  // Double rounding: the sum in f64 would land exactly between two floats.
  EXPECT_TRUE(same(soft_fma(0x1.000002p0f, 0x1.000002p0f, 0x1p30f), std::fmaf(0x1.000002p0f, 0x1.000002p0f, 0x1p30f)));
  EXPECT_TRUE(same(soft_fma(0x1p-75f, 0x1p-75f, 0x1.000002p-24f), 0x1.000002p-24f));
  EXPECT_TRUE(same(soft_fma(0x1p-12f, 0x1p-12f, 1.0f), 1.0f));
  EXPECT_TRUE(same(soft_fma(0x1.000002p-12f, 0x1p-12f, 1.0f), 0x1.000002p0f));
  EXPECT_TRUE(same(soft_fma(-0.0f, 1.0f, -0.0f), -0.0f));
}

}  // namespace
}  // namespace detbench
