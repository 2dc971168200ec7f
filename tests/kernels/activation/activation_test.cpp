#include "kernels/activation/activation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "kernels/activation/parts.hpp"
#include "kernels/reduction/channel_chunks.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;

const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

TEST(Activation, AgreesWithTheReference) {
  for (const auto& operation : make_activation_operations())
    for (const char* types : all_types)
      for (std::int64_t n : {1, 7, 4099})
        for (auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
          if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
          const Problem problem = vector_problem(std::string(operation->op()), n, types);
          ASSERT_TRUE(operation->check(problem));
          PlanRunner runner(3);
          const auto found = runner.verify(*operation, problem, {"fixed_order", "elementwise", {}, {}}, {fill, 5});
          EXPECT_TRUE(found.passed) << problem_id(problem) << ": " << found.reason;
          EXPECT_EQ(found.checked, static_cast<std::uint64_t>(n));
        }
}

const Operation& operation_named(std::string_view op) {
  static const auto operations = make_activation_operations();
  for (const auto& o : operations)
    if (o->op() == op) return *o;
  throw std::runtime_error(std::string(op));
}

TEST(Activation, RelusKeepNanAndTheirKinksHaveNoGradient) {
  PlanRunner runner;
  const float values[] = {-1.0f, -0.0f, 0.0f, 3.0f, 6.0f, 7.0f, std::nanf("")};
  struct Row {
    const char* op;
    float want[6];
  };
  for (const Row& row : {Row{"relu6_fwd", {0, 0, 0, 3, 6, 6}}, {"relu6_bwd", {0, 0, 0, 2, 0, 0}}, {"relu_fwd", {0, 0, 0, 3, 6, 7}}, {"relu_bwd", {0, 0, 0, 2, 2, 2}}}) {
    const Problem problem = vector_problem(row.op, 7);
    auto plan = operation_named(row.op).providers()[0]->plan(problem, {"fixed_order", "elementwise", {}, {}}, runner.device()).value();
    std::vector<Tensor> inputs;
    for (const auto& spec : plan->inputs()) inputs.push_back(runner.filled(spec, {FillSpec::Kind::constant, 1, "g", 2.0, 1, 1.0}));
    std::memcpy(inputs[0].region.data, values, sizeof values);
    ASSERT_TRUE(runner.run(*plan, operation_named(row.op), problem, {}, inputs));
    const float* out = static_cast<const float*>(runner.outputs()[0].region.data);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(out[i], row.want[i]) << row.op << " " << i;
    if (problem.op.ends_with("fwd")) {
      EXPECT_TRUE(std::isnan(out[6]));
    }
  }
}

template <class Stored>
std::vector<typename Stored::Word> by_functor(activation::Kind kind, const std::vector<Tensor>& inputs, std::int64_t n) {
  using Word = typename Stored::Word;
  const auto at = [&](std::size_t i) { return static_cast<const Word*>(inputs[i].region.data); };
  std::vector<Word> out(static_cast<std::size_t>(n));
  activation::with_functor(kind, activation::Arrays<Stored>{at(0), inputs.size() > 1 ? at(1) : nullptr, out.data()}, [&](const auto& f) {
    for (std::uint32_t i = 0; i < n / 2; ++i) f(i);
    for (std::uint64_t i = static_cast<std::uint64_t>(n / 2); i < static_cast<std::uint64_t>(n); ++i) f(i);
  });
  return out;
}

// One functor for the CPU's loops and a GPU's threads: index by index, with both index types, the bits of the CPU's arm for
// every number of threads and instruction set.
TEST(Activation, FunctorsGiveTheSameBitsWithAnyThreadsIndicesAndInstructionSet) {
  const std::pair<const char*, activation::Kind> all[] = {
      {"relu_fwd", {Activation::relu, false}},       {"relu_bwd", {Activation::relu, true}},       {"relu6_fwd", {Activation::relu6, false}},
      {"relu6_bwd", {Activation::relu6, true}},      {"swish_fwd", {Activation::swish, false}},    {"swish_bwd", {Activation::swish, true}},
      {"sigmoid_fwd", {Activation::sigmoid, false}}, {"sigmoid_bwd", {Activation::sigmoid, true}}, {"add", {Activation::none, false}}};
  ASSERT_EQ(make_activation_operations().size(), std::size(all));
  constexpr std::int64_t n = 9001;
  for (const auto& [op, kind] : all)
    for (const char* types : all_types) {
      const Problem problem = vector_problem(op, n, types);
      std::set<std::string> digests;
      int runs = 0;
      for (const int threads : {1, 2, 3, 4})
        for (const auto set : {activation::InstructionSet::baseline, activation::InstructionSet::avx2, activation::InstructionSet::avx512}) {
          auto parts = activation::fixed_order_parts(problem, set);
          if (!parts && parts.error().kind == Reason::Kind::unsupported) continue;
          ASSERT_TRUE(parts) << parts.error().text;
          SimplePlan plan(std::move(*parts));
          PlanRunner runner(threads);
          ASSERT_TRUE(runner.run(plan, operation_named(op), problem, {InputFill::wide, 5}));
          digests.insert(to_hex(runner.digest()));
          ++runs;
          const auto expect = [&](const auto& out) {
            EXPECT_EQ(std::memcmp(out.data(), runner.outputs()[0].region.data, out.size() * sizeof out[0]), 0) << op << " " << types;
          };
          if (types[0] == 'b') expect(by_functor<reduction::StoredBf16>(kind, runner.inputs(), n));
          else if (types[1] == '1') expect(by_functor<reduction::StoredF16>(kind, runner.inputs(), n));
          else expect(by_functor<reduction::StoredF32>(kind, runner.inputs(), n));
        }
      EXPECT_EQ(digests.size(), 1u) << op << " " << types;
      EXPECT_GE(runs, 4);
    }
}

// Against long double over every binade, the smallest results included.
TEST(Activation, SigmoidAndSwishAreWithinFourUnitsInTheLastPlace) {
  double worst_sigmoid = 0, worst_swish = 0, worst_slope = 0;
  const auto unit = [](long double v) { return std::max(std::ldexp(1.0, std::ilogb(static_cast<double>(v)) - 23), 0x1p-149); };
  for (std::uint64_t bits = 0; bits < 0xFF800000u; bits += 4099) {
    const float x = float_from_bits(static_cast<std::uint32_t>(bits));
    if (!std::isfinite(x)) continue;
    const long double t = std::exp(-std::abs(static_cast<long double>(x))), s = x < 0 ? t / (1 + t) : 1 / (1 + t), rest = x < 0 ? 1 / (1 + t) : t / (1 + t);
    const long double slope = s * (1 + x * rest);
    const auto error = [](float found, long double want) { return static_cast<double>(std::abs(found - want)); };
    worst_sigmoid = std::max(worst_sigmoid, error(activation::sigmoid_of(x), s) / unit(s));
    // Where the sigmoid is below the smallest normal number, x times it keeps the absolute error of its unit.
    worst_swish = std::max(worst_swish, error(activation::swish_of(x), x * s) / std::max(unit(x * s), static_cast<double>(std::abs(x)) * unit(s) / 4));
    worst_slope = std::max(worst_slope, error(activation::swish_slope_of(x), slope) / (0x1p-23 * static_cast<double>(s * (1 + std::abs(x) * rest)) + 0x1p-140));
    ASSERT_TRUE(std::isfinite(activation::swish_slope_of(x))) << x;
  }
  EXPECT_LT(worst_sigmoid, 3);
  EXPECT_LT(worst_swish, 4);
  EXPECT_LT(worst_slope, 3);
  EXPECT_EQ(activation::sigmoid_of(0.0f), 0.5f);
  EXPECT_EQ(activation::sigmoid_of(INFINITY), 1.0f);
  EXPECT_EQ(activation::sigmoid_of(-INFINITY), 0.0f);
  EXPECT_GT(activation::sigmoid_of(-100.0f), 0.0f);  // below the normal numbers
  EXPECT_TRUE(std::isnan(activation::sigmoid_of(NAN)) && std::isnan(activation::swish_of(NAN)) && std::isnan(activation::swish_slope_of(NAN)));
}

// The gradients against differences.
TEST(Activation, SlopesAreThoseOfTheFunctions) {
  for (int i = -1000; i <= 1000; ++i) {
    const long double v = static_cast<float>(i) * 0.03f, h = 1e-7L;
    const auto sigmoid = [](long double x) { return 1 / (1 + std::exp(-x)); };
    const auto slope = [&](auto f) { return static_cast<double>((f(v + h) - f(v - h)) / (2 * h)); };
    EXPECT_NEAR(activation::swish_slope_of(static_cast<float>(v)), slope([&](long double x) { return x * sigmoid(x); }), 1e-6) << i;
    EXPECT_NEAR(activation::sigmoid_slope_of(static_cast<float>(v)), slope(sigmoid), 1e-6) << i;
  }
}

TEST(Activation, OneDnnArmsAgree) {
  for (const auto& operation : make_activation_operations()) {
    const Provider* provider = operation->find_provider("onednn");
    const bool expected = operation->op().starts_with("swish") || operation->op().starts_with("sigmoid") || operation->op().starts_with("relu_");
    EXPECT_EQ(provider != nullptr, expected) << operation->op();
    if (provider == nullptr) continue;
    for (const char* types : all_types) {
      const Problem problem = vector_problem(std::string(operation->op()), 5003, types);
      PlanRunner runner;
      const auto offers = provider->offers(problem, runner.device()).value();
      for (const Offer& offer : offers) {
        if (offer.unsupported) continue;
        const auto found = runner.verify(*operation, problem, offer.algorithm, {InputFill::rounding, 5});
        EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << ": " << found.reason;
      }
    }
  }
}

TEST(Activation, RefusesWhatItDoesNotKnow) {
  const auto reason = [](Problem problem) { return operation_named("relu6_fwd").check(problem).error().text; };
  EXPECT_NE(reason({"relu6_fwd", "n0", "f32_f32_strict", "vector"}).find("n0"), std::string::npos);
  EXPECT_NE(reason({"relu6_fwd", "n8", "f32_f32_strict", "nhwc"}).find("nhwc"), std::string::npos);
  EXPECT_NE(reason({"relu6_fwd", "n8", "f32_f32_tf32", "vector"}).find("tf32"), std::string::npos);
  EXPECT_NE(reason({"sigmoid_fwd", "n8", "f32_f32_strict", "vector"}).find("sigmoid_fwd"), std::string::npos);
}

}  // namespace
}  // namespace detbench
