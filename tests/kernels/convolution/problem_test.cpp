#include "kernels/convolution/problem.hpp"

#include <gtest/gtest.h>

#include <random>

#include "shapes.hpp"

namespace detbench {
namespace {

TEST(ConvolutionProblem, TextIsTheOneOfTheGrammar) {
  ConvolutionProblem p;
  p.mb = 32, p.g = 96, p.ic = 96, p.ih = 56, p.iw = 56, p.oc = 96, p.kh = 3, p.kw = 3, p.sh = 2, p.sw = 2, p.pb = 1, p.pr = 1;
  p.direction = Direction::wgrad;
  EXPECT_EQ(problem_id(to_problem(p)),
            "conv_wgrad/mb32_g96_ic96_ih56_iw56_oc96_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1_dh1_dw1/f32_f32_strict/nhwc");
  EXPECT_EQ(p.oh(), 28);
}

TEST(ConvolutionProblem, RandomValidProblemsRoundTrip) {
  std::mt19937 random(3);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
  };
  int valid = 0;
  for (int i = 0; i < 3000; ++i) {
    ConvolutionProblem p;
    p.mb = pick(1, 64), p.g = pick(1, 8), p.ic = p.g * pick(1, 40), p.oc = p.g * pick(1, 40);
    p.ih = pick(1, 99), p.iw = pick(1, 99), p.kh = pick(1, 7), p.kw = pick(1, 7), p.sh = pick(1, 3), p.sw = pick(1, 3);
    p.dh = pick(1, 3), p.dw = pick(1, 3), p.pt = pick(0, 3), p.pb = pick(0, 3), p.pl = pick(0, 3), p.pr = pick(0, 3);
    p.direction = all_directions[pick(0, 2)];
    p.layout = std::vector<std::string>{"nhwc", "nchw", "blocked"}[pick(0, 2)];
    p.types = std::vector<ConvolutionTypes>{{}, {DataType::f32, true}, {DataType::f16, false}, {DataType::bf16, false}}[pick(0, 3)];
    const auto back = parse_convolution(to_problem(p));
    const bool pads_fit = std::max(p.pt, p.pb) < p.dh * (p.kh - 1) + 1 && std::max(p.pl, p.pr) < p.dw * (p.kw - 1) + 1;
    const bool fits = pads_fit && p.ih + p.pt + p.pb > p.dh * (p.kh - 1) && p.iw + p.pl + p.pr > p.dw * (p.kw - 1);
    ASSERT_EQ(back.has_value(), fits) << problem_id(to_problem(p)) << (back ? "" : back.error().text);
    if (!fits) continue;
    ++valid;
    EXPECT_EQ(*back, p);
    EXPECT_GE(p.oh(), 1);
    // The last window starts within the padded image, and one more would not fit.
    EXPECT_LE((p.oh() - 1) * p.sh + p.dh * (p.kh - 1) + 1, p.ih + p.pt + p.pb);
    EXPECT_GT(p.oh() * p.sh + p.dh * (p.kh - 1) + 1, p.ih + p.pt + p.pb);
  }
  EXPECT_GT(valid, 500);
}

TEST(ConvolutionProblem, RefusesNonsenseInOneLineThatNamesIt) {
  const std::string good = "mb2_g1_ic3_ih8_iw8_oc4_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1";
  ASSERT_TRUE(parse_convolution({"conv_fwd", good, "f32_f32_strict", "nhwc"}));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  struct Bad { Problem problem; std::string named; };
  const auto shape = [](const std::string& s) { return Problem{"conv_fwd", s, "f32_f32_strict", "nhwc"}; };
  for (const auto& [problem, named] : std::vector<Bad>{
           {{"conv_up", good, "f32_f32_strict", "nhwc"}, "conv_up"},
           {{"conv_fwd", good, "f64_f64_strict", "nhwc"}, "f64_f64_strict"},
           {{"conv_fwd", good, "f32_f32_strict", "chwn"}, "chwn"},
           {shape(replaced("mb2", "mb0")), "mb0"},
           {shape(replaced("g1", "g2")), "ic3"},
           {shape(replaced("oc4", "oc99999999999999999999")), "oc"},
           {shape(replaced("ih8_iw8", "ih1048576_iw1048576")), "2^34"},
           {shape(replaced("pt1", "pt3")), "pt3"},
           {shape(replaced("pr1_dh1_dw1", "pr1_dh1_dw9")), "empty"},
           {shape(replaced("sh1", "sh0")), "sh0"},
           {shape("mb2"), "mb2"},
           {shape(good + "_dd1"), "dd1"},
           {shape(""), "shape"}}) {
    const auto parsed = parse_convolution(problem);
    ASSERT_FALSE(parsed) << problem_id(problem);
    EXPECT_EQ(parsed.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
    EXPECT_NE(parsed.error().text.find(named), std::string::npos) << parsed.error().text;
  }
}

TEST(ConvolutionProblem, TensorsLieAsTheLayoutSays) {
  auto p = testing::small_shapes()[0];
  p.layout = "nchw";
  const auto tensors = tensors_of(p);
  EXPECT_EQ(describe_layout(tensors.inputs[0]), "nchw");
  EXPECT_EQ(describe_layout(tensors.inputs[1]), "goihw");
  p.layout = "nhwc";
  EXPECT_TRUE(tensors_of(p).inputs[0].is_canonical());
  p.direction = Direction::wgrad;
  p.types.storage = DataType::bf16;
  EXPECT_EQ(tensors_of(p).outputs[0].type, DataType::f32);
  EXPECT_EQ(tensors_of(p).inputs[1].type, DataType::bf16);
}

TEST(ConvolutionProblem, WeightGradientsCanBeStoredIn16Bits) {
  auto p = testing::small_shapes()[3];
  p.direction = Direction::wgrad;
  for (const auto storage : {DataType::f16, DataType::bf16}) {
    p.types = {storage, false, storage};
    const auto problem = to_problem(p);
    EXPECT_EQ(problem.types, std::string(to_text(storage)) + "_f32_strict_dw" + std::string(to_text(storage)));
    const auto parsed = parse_convolution(problem);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(*parsed, p);
    EXPECT_EQ(tensors_of(p).outputs[0].type, storage);
    for (const char* op : {"conv_fwd", "conv_dgrad"}) {
      auto other = problem;
      other.op = op;
      const auto refused = parse_convolution(other);
      ASSERT_FALSE(refused) << op;
      EXPECT_EQ(refused.error().kind, Reason::Kind::invalid_input);
      EXPECT_NE(refused.error().text.find("gradients of weights"), std::string::npos);
    }
  }
  for (const char* types : {"bf16_f32_strict_dwf16", "f32_f32_strict_dwf16", "f32_f32_tf32_dwf32", "bf16_f32_strict_dwf32", "bf16_f32_strict_dw"}) {
    auto problem = to_problem(p);
    problem.types = types;
    EXPECT_FALSE(parse_convolution(problem)) << types;
  }
}

}  // namespace
}  // namespace detbench
