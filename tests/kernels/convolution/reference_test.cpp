#include "kernels/convolution/reference.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/convolution/operation.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "shapes.hpp"

namespace detbench {
namespace {

ConvolutionProblem dense_problem() {
  auto p = testing::small_shapes()[3];
  p.ic = 48, p.oc = 16;
  return p;
}

/// The outputs of a problem in f64, all of them, rounded to f32; `change` may alter the inputs first.
struct Answer {
  ConvolutionProblem p;
  std::vector<std::vector<float>> inputs;
  std::vector<float> values;
  std::vector<ProductSum> sums;
  Answer(const ConvolutionProblem& problem, const Inputs& fill) : p(problem) {
    for (const auto& spec : tensors_of(p).inputs)
      inputs.push_back(filled_values(spec.type, spec.shape, *convolution_fill(p, spec, fill)).value());
    compute();
  }
  void compute() {
    const auto elements = element_count(tensors_of(p).outputs[0].shape);
    values.clear();
    sums.clear();
    for (std::int64_t i = 0; i < elements; ++i) {
      sums.push_back(convolution_output(p, inputs[0].data(), inputs[1].data(), i));
      values.push_back(static_cast<float>(sums.back().value));
    }
  }
  Verification check(const Reference& reference, const Algorithm& algorithm) {
    const auto spec = tensors_of(p).outputs[0];
    const Tensor tensor{spec, {values.data(), spec.bytes()}};
    return reference.check(algorithm, {&tensor, 1}).value();
  }
};

Algorithm direct() { return {"onednn", "jit", {}, {}}; }

TEST(ConvolutionReference, LongDoubleLoopsAgreeWithIt) {
  // A second formula: correlate the zero-padded, dilated image as a whole, in long double.
  for (auto p : testing::small_shapes()) {
    const Answer answer(p, {InputFill::rounding, 2});
    const std::int64_t height = p.ih + p.pt + p.pb, width = p.iw + p.pl + p.pr;
    std::vector<long double> padded(static_cast<std::size_t>(p.mb * height * width * p.ic), 0);
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t h = 0; h < p.ih; ++h)
        for (std::int64_t w = 0; w < p.iw; ++w)
          for (std::int64_t c = 0; c < p.ic; ++c)
            padded[static_cast<std::size_t>(((n * height + h + p.pt) * width + w + p.pl) * p.ic + c)] =
                answer.inputs[0][static_cast<std::size_t>(((n * p.ih + h) * p.iw + w) * p.ic + c)];
    std::size_t index = 0;
    for (std::int64_t n = 0; n < p.mb; ++n)
      for (std::int64_t y = 0; y < p.oh(); ++y)
        for (std::int64_t x = 0; x < p.ow(); ++x)
          for (std::int64_t k = 0; k < p.oc; ++k, ++index) {
            long double sum = 0;
            for (std::int64_t c = 0; c < p.icg(); ++c)
              for (std::int64_t s = 0; s < p.kw; ++s)
                for (std::int64_t r = 0; r < p.kh; ++r)
                  sum += padded[static_cast<std::size_t>(((n * height + y * p.sh + r * p.dh) * width + x * p.sw + s * p.dw) * p.ic +
                                                         k / p.ocg() * p.icg() + c)] *
                         answer.inputs[1][static_cast<std::size_t>(((k * p.kh + r) * p.kw + s) * p.icg() + c)];
            ASSERT_NEAR(static_cast<double>(sum), answer.sums[index].value, 1e-12 * answer.sums[index].magnitude + 1e-300);
          }
  }
}

TEST(ConvolutionReference, GradientsAreAdjoints) {
  // <dgrad(dy), x> = <wgrad(x, dy), w> = <forward(x, w), dy>, for the same x, w, dy.
  for (auto p : testing::small_shapes()) {
    const Answer forward(p, {InputFill::rounding, 4});
    std::vector<float> dy(forward.values.size());
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(std::sin(static_cast<double>(i) + 1));
    const auto inner = [](const std::vector<ProductSum>& a, const std::vector<float>& b) {
      long double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i].value) * b[i];
      return static_cast<double>(sum);
    };
    const auto all = [&](Direction direction, const std::vector<float>& first, const std::vector<float>& second) {
      p.direction = direction;
      std::vector<ProductSum> sums;
      for (std::int64_t i = 0; i < element_count(tensors_of(p).outputs[0].shape); ++i)
        sums.push_back(convolution_output(p, first.data(), second.data(), i));
      return sums;
    };
    const auto &x = forward.inputs[0], &w = forward.inputs[1];
    const double expected = inner(forward.sums, dy), tolerance = 1e-10 * (1 + std::abs(expected)) * 100;
    EXPECT_NEAR(inner(all(Direction::dgrad, dy, w), x), expected, tolerance);
    EXPECT_NEAR(inner(all(Direction::wgrad, x, dy), w), expected, tolerance);
  }
}

TEST(ConvolutionReference, FillIsExactAndDense) {
  for (auto direction : all_directions)
    for (auto storage : {DataType::f32, DataType::f16, DataType::bf16})
      for (auto p : testing::small_shapes()) {
        p.direction = direction;
        p.types.storage = storage;
        const Answer answer(p, {InputFill::exact, 9});
        const auto type = tensors_of(p).outputs[0].type;
        std::int64_t nonzero = 0;
        for (const auto& sum : answer.sums) {
          ASSERT_LE(sum.magnitude, std::ldexp(1.0, integer_bits(type)));
          nonzero += sum.value != 0;
        }
        EXPECT_GT(nonzero * 2, static_cast<std::int64_t>(answer.sums.size()) / (p.sh * p.sw)) << problem_id(to_problem(p));
      }
}

TEST(ConvolutionReference, AcceptsTheRoundedAnswer) {
  for (auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
    Answer answer(dense_problem(), {fill, 1});
    const auto reference = make_convolution_reference(answer.p, {fill, 1}).value();
    const auto verification = answer.check(*reference, direct());
    EXPECT_TRUE(verification.passed) << verification.reason;
    EXPECT_EQ(verification.max_ulp, 0u);
    EXPECT_EQ(verification.checked, verification.outputs);
    EXPECT_LT(verification.relative_l2, 1e-7);
  }
}

TEST(ConvolutionReference, CatchesAnErrorJustAboveTheBoundAndNotBelow) {
  const Inputs inputs{InputFill::rounding, 1};
  for (const auto& [factor, passes] : {std::pair{1.05, false}, {0.9, true}}) {
    Answer answer(dense_problem(), inputs);
    const auto reference = make_convolution_reference(answer.p, inputs).value();
    const std::size_t at = answer.values.size() / 2;
    const auto& sum = answer.sums[at];
    const double terms = static_cast<double>(sum.terms);
    const double bound = std::min(4 + 2 * std::sqrt(terms), terms) * 0x1p-24 * sum.magnitude;
    answer.values[at] = static_cast<float>(sum.value + factor * bound);
    const auto verification = answer.check(*reference, direct());
    EXPECT_EQ(verification.passed, passes) << verification.reason;
    EXPECT_NEAR(verification.bound_ratio, factor, 0.02);
  }
}

TEST(ConvolutionReference, CatchesOneUnitUnderTheExactFillExceptOfTransforms) {
  const Inputs inputs{InputFill::exact, 1};
  Answer answer(dense_problem(), inputs);
  const auto reference = make_convolution_reference(answer.p, inputs).value();
  answer.values[7] = std::nextafter(answer.values[7], 1e30f);
  EXPECT_FALSE(answer.check(*reference, direct()).passed);
  auto winograd = direct();
  winograd.sum_of_products = false;
  winograd.bound_constant = 16;
  EXPECT_TRUE(answer.check(*reference, winograd).passed);
}

// An accumulator of less precision than f32 is a constant c > 1 of a direct sum: its bound is c times as wide, also where the
// bound is K u, and under the exact fill equality is asked only of outputs that are stored no wider than it.
TEST(ConvolutionReference, AllowsANarrowAccumulatorItsOwnRoundoff) {
  auto narrow = direct();
  narrow.bound_constant = 0x1p13;
  auto p = dense_problem();
  p.ic = 1, p.kh = p.kw = 1, p.pt = p.pb = p.pl = p.pr = 0;  // one product: K u is the smaller bound
  for (const auto& [factor, passes] : {std::pair{1.05, false}, {0.9, true}}) {
    Answer answer(p, {InputFill::rounding, 1});
    const auto reference = make_convolution_reference(answer.p, {InputFill::rounding, 1}).value();
    answer.p.types.storage = DataType::f32;
    const std::size_t at = answer.values.size() / 2;
    answer.values[at] = static_cast<float>(answer.sums[at].value + factor * 0x1p-11 * answer.sums[at].magnitude);
    EXPECT_FALSE(answer.check(*reference, direct()).passed);
    EXPECT_EQ(answer.check(*reference, narrow).passed, passes) << factor;
  }
  Answer exact(dense_problem(), {InputFill::exact, 1});
  const auto reference = make_convolution_reference(exact.p, {InputFill::exact, 1}).value();
  exact.values[7] = std::nextafter(exact.values[7], 1e30f);
  EXPECT_FALSE(exact.check(*reference, direct()).passed);
  EXPECT_TRUE(exact.check(*reference, narrow).passed);
}

TEST(ConvolutionReference, CatchesATransposedKernel) {
  const Inputs inputs{InputFill::rounding, 1};
  Answer answer(dense_problem(), inputs);
  const auto reference = make_convolution_reference(answer.p, inputs).value();
  auto& w = answer.inputs[1];
  const auto original = w;
  for (std::int64_t k = 0; k < answer.p.oc; ++k)
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t s = 0; s < 3; ++s)
        for (std::int64_t c = 0; c < answer.p.ic; ++c)
          w[static_cast<std::size_t>(((k * 3 + r) * 3 + s) * answer.p.ic + c)] =
              original[static_cast<std::size_t>(((k * 3 + s) * 3 + r) * answer.p.ic + c)];
  answer.compute();
  const auto verification = answer.check(*reference, direct());
  EXPECT_FALSE(verification.passed);
  EXPECT_NE(verification.reason.find("wrong by"), std::string::npos) << verification.reason;
}

class Tf32Inputs : public ::testing::TestWithParam<Direction> {};

TEST_P(Tf32Inputs, AreCalledLowerPrecisionThanAsked) {
  const Inputs inputs{InputFill::rounding, 1};
  auto p = dense_problem();
  p.direction = GetParam();
  if (p.direction == Direction::wgrad) p.ic = p.oc = 4, p.ih = p.iw = 100, p.mb = 4;  // sums of 40,000: the bound hides it
  Answer answer(p, inputs);
  const auto reference = make_convolution_reference(answer.p, inputs).value();
  for (auto& tensor : answer.inputs)
    for (auto& value : tensor) value = float_from_bits((float_bits(value) + 0x1000u) & 0xFFFFE000u);  // 10 fraction bits
  answer.compute();
  const auto verification = answer.check(*reference, direct());
  EXPECT_FALSE(verification.passed);
  EXPECT_NE(verification.reason.find("lower precision than asked"), std::string::npos) << verification.reason;
  answer.p.types.tf32 = true;
  const auto asked = make_convolution_reference(answer.p, inputs).value();
  const auto accepted = answer.check(*asked, direct());
  EXPECT_TRUE(accepted.passed) << accepted.reason;
}

INSTANTIATE_TEST_SUITE_P(ConvolutionReference, Tf32Inputs, ::testing::ValuesIn(all_directions),
                         [](const auto& info) { return std::string(op_name(info.param)); });

TEST(ConvolutionReference, DistrustsZerosAndUnwrittenOutputs) {
  const Inputs inputs{InputFill::rounding, 1};
  Answer zeros(dense_problem(), inputs), hole(dense_problem(), inputs);
  const auto reference = make_convolution_reference(zeros.p, inputs).value();
  for (auto& value : zeros.values) value = 0;
  EXPECT_NE(zeros.check(*reference, direct()).reason.find("zero"), std::string::npos);
  hole.values[hole.values.size() - 2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(hole.check(*reference, direct()).reason.find("not written"), std::string::npos);
}

TEST(ConvolutionReference, ASampleFindsWhatIsUnwrittenAnywhereAndWrongAtTheEdges) {
  const Inputs inputs{InputFill::rounding, 1};
  auto p = dense_problem();
  p.mb = 8, p.ih = p.iw = 24;
  Answer answer(p, inputs);
  const auto reference = make_convolution_reference(p, inputs).value();
  const auto sampled = answer.check(*reference, direct());
  ASSERT_TRUE(sampled.passed) << sampled.reason;
  ASSERT_LT(sampled.checked, sampled.outputs);
  ASSERT_GE(sampled.checked, 256u);
  auto hole = answer;
  hole.values[hole.values.size() * 2 / 3 + 1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(hole.check(*reference, direct()).passed);
  // One wrong image row of one image.
  auto row = answer;
  const auto width = static_cast<std::size_t>(p.ow() * p.oc);
  for (std::size_t i = 0; i < width; ++i) row.values[(static_cast<std::size_t>(p.oh()) * 3) * width + i] += 1;
  EXPECT_FALSE(row.check(*reference, direct()).passed);
}

TEST(ConvolutionReference, FillsDependOnTheRoleAloneAndUnknownRolesAreRefused) {
  auto p = dense_problem();
  const auto spec = tensors_of(p).inputs[0];
  auto other = spec;
  other.layout = *activation_layout(spec.shape, "nchw16c");
  const auto a = convolution_fill(p, spec, {InputFill::exact, 3}), b = convolution_fill(p, other, {InputFill::exact, 3});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->stream, b->stream);
  EXPECT_EQ(a->limit, b->limit);
  other.role = "gamma";
  EXPECT_FALSE(convolution_fill(p, other, {}));
}

}  // namespace
}  // namespace detbench
