// Pooling over windows on the CPU, and the arithmetic of a GPU's threads compiled for the host.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "kernels/pooling/pooling.hpp"
#include "kernels/pooling/window_parts.hpp"
#include "kernels/tensor/compare.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using namespace pooling;
using testing::PlanRunner;

/// Overlapping, separate, 1x1, one-sided pads, strides that jump over pixels, windows that are not square.
const char* const shapes[] = {"mb2_c5_ih9_iw7_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1",   "mb1_c1_ih1_iw1_kh1_kw1_sh1_sw1_pt0_pb0_pl0_pr0",
                              "mb3_c16_ih8_iw8_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0",  "mb2_c33_ih11_iw13_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1",
                              "mb1_c7_ih10_iw12_kh5_kw2_sh3_sw4_pt4_pb2_pl1_pr0", "mb2_c3_ih9_iw9_kh2_kw3_sh4_sw5_pt0_pb0_pl0_pr0",
                              "mb2_c4_ih6_iw5_kh6_kw5_sh6_sw5_pt0_pb0_pl0_pr0"};

std::vector<Problem> problems_of(WindowOp op) {
  std::vector<Problem> problems;
  for (const char* shape : shapes)
    for (const char* layout : {"nhwc", "nchw"}) {
      if (is_maximum(op)) {
        problems.push_back({std::string(to_text(op)), shape, "f32_f32_strict", layout});
        continue;
      }
      for (const char* padding : {"_ip0", "_ip1"}) problems.push_back({std::string(to_text(op)), std::string(shape) + padding, "f32_f32_strict", layout});
    }
  return problems;
}

TEST(WindowPooling, EveryCpuArmAgreesWithTheReference) {
  for (const WindowOp op : all_window_ops) {
    const auto operation = make_window_pooling_operation(op, {});
    for (const Problem& problem : problems_of(op)) {
      ASSERT_TRUE(operation->check(problem)) << problem_id(problem);
      EXPECT_EQ(problem_id(problem_of(parse_window_problem(problem).value())), problem_id(problem));
      for (const char* provider : {"fixed_order", "openmp", "onednn"}) {
        if (operation->find_provider(provider) == nullptr) continue;  // forward, nothing meets in atomics
        PlanRunner runner(3);
        const auto offers = operation->find_provider(provider)->offers(problem, runner.device()).value();
        for (const Offer& offer : offers) {
          if (offer.unsupported) continue;
          for (const auto fill : {InputFill::exact, InputFill::rounding, InputFill::wide}) {
            if (fill == InputFill::exact && !operation->has_exact_fill()) continue;
            const auto found = runner.verify(*operation, problem, offer.algorithm, {fill, 5});
            EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason;
            EXPECT_EQ(found.checked, found.outputs);
          }
        }
        if (std::string(provider) == "fixed_order") {
          EXPECT_EQ(offers.size(), op == WindowOp::max_backward ? 2u : 1u);
        }
      }
    }
  }
}

// One answer whatever the threads, the layout, and where the winners come from.
TEST(WindowPooling, FixedOrderHasTheSameBitsEverywhere) {
  for (const WindowOp op : all_window_ops) {
    const auto operation = make_window_pooling_operation(op, {});
    for (const char* shape : shapes) {
      std::set<std::string> digests;
      for (const char* layout : {"nhwc", "nchw"})
        for (const int threads : {1, 2, 5}) {
          PlanRunner runner(threads);
          const Problem problem{std::string(to_text(op)), std::string(shape) + (is_maximum(op) ? "" : "_ip0"), "f32_f32_strict", layout};
          const auto offers = operation->find_provider("fixed_order")->offers(problem, runner.device()).value();
          for (const Offer& offer : offers) {
            ASSERT_TRUE(runner.verify(*operation, problem, offer.algorithm, {}).passed);
            digests.insert(to_hex(runner.digest()));
          }
        }
      EXPECT_EQ(digests.size(), 1u) << to_text(op) << " " << shape;
    }
  }
}

// Scattered on one thread, gradients meet in the order in which the fixed order gathers them.
TEST(WindowPooling, ScatteringDiffersInHowWindowsMeetAlone) {
  for (const WindowOp op : {WindowOp::max_backward, WindowOp::average_backward}) {
    const auto operation = make_window_pooling_operation(op, {});
    for (const Problem& problem : problems_of(op)) {
      PlanRunner runner(1);
      ASSERT_TRUE(runner.verify(*operation, problem, {"fixed_order", "gather", {}, {}}, {}).passed);
      const auto expected = to_hex(runner.digest());
      const auto offers = operation->find_provider("openmp")->offers(problem, runner.device()).value();
      EXPECT_EQ(offers.size(), is_maximum(op) ? 2u : 1u);
      for (const Offer& offer : offers) {
        EXPECT_TRUE(runner.verify(*operation, problem, offer.algorithm, {}).passed);
        EXPECT_EQ(to_hex(runner.digest()), expected) << case_id(problem, offer.algorithm);
      }
    }
    const auto notes = [&](const char* shape) {
      PlanRunner runner;
      const Problem problem{std::string(to_text(op)), std::string(shape) + (is_maximum(op) ? "" : "_ip0"), "f32_f32_strict", "nhwc"};
      return operation->find_provider("openmp")->plan(problem, {"openmp", "scatter", {}, {}}, runner.device()).value()->notes();
    };
    EXPECT_EQ(notes(shapes[3]).at("contention"), "9");  // 3x3 windows, stride 1
    EXPECT_EQ(notes(shapes[0]).at("contention"), "4");
    EXPECT_FALSE(notes(shapes[0]).contains("cannot_show"));
    EXPECT_EQ(notes(shapes[2]).at("contention"), "1");
    EXPECT_TRUE(notes(shapes[2]).contains("cannot_show"));
  }
}

/// The tensors that the CPU's arm ran on.
struct Ran {
  std::vector<float> first, second, out;  ///< inputs and output, in the order of memory
};
Ran run_on_cpu(const Problem& problem) {
  const auto parsed = parse_window_problem(problem).value();
  const auto operation = make_window_pooling_operation(parsed.op, {});
  PlanRunner runner;
  const auto provider = operation->find_provider("fixed_order");
  const auto offers = provider->offers(problem, runner.device()).value();
  auto plan = provider->plan(problem, offers[0].algorithm, runner.device()).value();
  EXPECT_TRUE(runner.run(*plan, *operation, problem, {}));
  const auto read = [](const Tensor& t) {
    const auto* values = static_cast<const float*>(t.region.data);
    return std::vector<float>(values, values + t.spec.layout.elements);
  };
  Ran ran{read(runner.inputs()[0]), {}, read(runner.outputs()[0])};
  if (runner.inputs().size() > 1) ran.second = read(runner.inputs()[1]);
  return ran;
}

template <class Index, class F>
void for_each(std::int64_t n, const F& f) {
  for (Index i = 0; i < static_cast<Index>(n); ++i) f(i);
}
struct PlainAdd {
  void operator()(float* target, float value) const { *target += value; }
};

// The functors that a GPU's threads run, called for every index on the host: the CPU's bits.
template <class Index>
void expect_functors_give_the_cpus_bits() {
  for (const WindowOp op : all_window_ops)
    for (const Problem& problem : problems_of(op)) {
      const auto parsed = parse_window_problem(problem).value();
      const Windows w = parsed.windows();
      const Ran ran = run_on_cpu(problem);
      std::vector<float> out(ran.out.size(), std::nanf(""));
      std::vector<WindowPosition> winners(static_cast<std::size_t>(w.outputs()), 0xFFFF);
      if (op == WindowOp::max_forward) for_each<Index>(w.outputs(), MaxForward{w, ran.first.data(), out.data(), winners.data()});
      if (op == WindowOp::average_forward) for_each<Index>(w.outputs(), AverageForward{w, ran.first.data(), out.data()});
      if (op == WindowOp::average_backward) for_each<Index>(w.inputs(), AverageGather{w, ran.first.data(), out.data()});
      if (op == WindowOp::max_backward) {
        for_each<Index>(w.outputs(), MaxForward{w, ran.first.data(), nullptr, winners.data()});
        for_each<Index>(w.inputs(), MaxGather{w, winners.data(), ran.second.data(), out.data()});
      }
      EXPECT_EQ(std::memcmp(out.data(), ran.out.data(), out.size() * sizeof(float)), 0) << problem_id(problem);
      if (!is_backward(op)) continue;
      // Scattered in ascending order on one thread, contributions meet in the order in which gathering takes them.
      std::fill(out.begin(), out.end(), 0.0f);
      if (op == WindowOp::max_backward)
        for_each<Index>(w.outputs(), MaxScatter<PlainAdd>{w, winners.data(), ran.second.data(), out.data(), {}});
      else
        for_each<Index>(w.outputs(), AverageScatter<PlainAdd>{w, ran.first.data(), out.data(), {}});
      EXPECT_EQ(std::memcmp(out.data(), ran.out.data(), out.size() * sizeof(float)), 0) << "scatter " << problem_id(problem);
    }
}
TEST(WindowPooling, TheGpusFunctorsGiveTheCpusBitsWithNarrowIndices) { expect_functors_give_the_cpus_bits<std::uint32_t>(); }
TEST(WindowPooling, TheGpusFunctorsGiveTheCpusBitsWithWideIndices) { expect_functors_give_the_cpus_bits<std::uint64_t>(); }

// windows_over() against its definition: every window, asked whether it covers the pixel.
TEST(WindowPooling, WindowsOverAPixelAreThoseThatCoverIt) {
  for (int window = 1; window <= 5; ++window)
    for (int stride = 1; stride <= 6; ++stride)
      for (int pad = 0; pad < window; ++pad)
        for (int behind = 0; behind < window; ++behind)
          for (int size = 1; size <= 9; ++size) {
            if (size + pad + behind < window) continue;
            const int outputs = (size + pad + behind - window) / stride + 1;
            for (int out = 0; out < outputs; ++out) {
              const Range pixels = pixels_of(out, stride, pad, window, size);
              ASSERT_LT(pixels.first, pixels.last);
              ASSERT_GE(pixels.first, 0);
              ASSERT_LE(pixels.last, size);
            }
            for (int in = 0; in < size; ++in) {
              const Range range = windows_over(in, stride, pad, window, outputs);
              for (int out = 0; out < outputs; ++out) {
                const bool covers = in >= out * stride - pad && in < out * stride - pad + window;
                ASSERT_EQ(covers, out >= range.first && out < range.last) << window << stride << pad << behind << size << in << out;
              }
            }
          }
}

// <avg(x), y> = <x, avg'(y)>, and for a maximum <max(x), y> = <x, max'(x, y)>: the gradient picks the winners.
TEST(WindowPooling, BackwardIsTheTransposeOfForward) {
  for (const bool maximum : {false, true})
    for (const char* shape : shapes) {
      const std::string text = std::string(shape) + (maximum ? "" : "_ip1");
      const Problem forward{maximum ? "max_pool_fwd" : "avg_pool_fwd", text, "f32_f32_strict", "nhwc"};
      const Problem backward{maximum ? "max_pool_bwd" : "avg_pool_bwd", text, "f32_f32_strict", "nhwc"};
      const Ran b = run_on_cpu(backward);
      const auto& dy = maximum ? b.second : b.first;
      // The forward over the backward's own input, where it has one.
      const auto parsed = parse_window_problem(forward).value();
      Ran f = run_on_cpu(forward);
      if (maximum) {
        f.first = b.first;
        for_each<std::uint64_t>(parsed.windows().outputs(), MaxForward{parsed.windows(), f.first.data(), f.out.data(), nullptr});
      }
      double left = 0, right = 0, size = 0;
      for (std::size_t i = 0; i < f.out.size(); ++i) left += static_cast<double>(f.out[i]) * dy[i], size += std::abs(static_cast<double>(f.out[i]) * dy[i]);
      for (std::size_t i = 0; i < f.first.size(); ++i) right += static_cast<double>(f.first[i]) * b.out[i];
      EXPECT_NEAR(left, right, 1e-5 * (1 + size)) << shape;
    }
}

/// max_pool_bwd over given numbers with every CPU arm of one provider.
std::vector<std::vector<float>> gradients(const Problem& problem, const std::vector<float>& x, const std::vector<float>& dy) {
  const auto operation = make_window_pooling_operation(WindowOp::max_backward, {});
  PlanRunner runner;
  std::vector<std::vector<float>> answers;
  const auto offers = operation->find_provider("fixed_order")->offers(problem, runner.device()).value();
  for (const Offer& offer : offers) {
    auto plan = operation->find_provider("fixed_order")->plan(problem, offer.algorithm, runner.device()).value();
    std::vector<Tensor> inputs{runner.allocate(plan->inputs()[0]), runner.allocate(plan->inputs()[1])};
    std::memcpy(inputs[0].region.data, x.data(), x.size() * 4);
    std::memcpy(inputs[1].region.data, dy.data(), dy.size() * 4);
    EXPECT_TRUE(runner.run(*plan, *operation, problem, {}, inputs));
    const auto* out = static_cast<const float*>(runner.outputs()[0].region.data);
    answers.emplace_back(out, out + x.size());
  }
  return answers;
}

TEST(WindowPooling, TheFirstOfEqualsWins) {
  const Problem problem{"max_pool_bwd", "mb1_c1_ih2_iw3_kh2_kw2_sh1_sw1_pt0_pb0_pl0_pr0", "f32_f32_strict", "nhwc"};
  for (const auto& dx : gradients(problem, {1, 5, 2, 5, 5, 0}, {10, 100})) EXPECT_EQ(dx, (std::vector<float>{0, 110, 0, 0, 0, 0}));
  for (const auto& dx : gradients(problem, {-0.0f, 0.0f, 0, 0, 0, 0}, {10, 100})) EXPECT_EQ(dx, (std::vector<float>{10, 100, 0, 0, 0, 0}));
  const float nan = std::nanf("");
  for (const auto& dx : gradients(problem, {1, 2, 3, nan, 4, nan}, {10, 100})) EXPECT_EQ(dx, (std::vector<float>{0, 0, 0, 10, 0, 100}));
}

TEST(WindowPooling, KnownValues) {
  const auto operation = make_window_pooling_operation(WindowOp::average_forward, {});
  PlanRunner runner;
  for (const auto& [padding, corner] : {std::pair{"_ip0", 3.0f}, {"_ip1", 12.0f / 9}}) {
    const Problem problem{"avg_pool_fwd", std::string("mb1_c1_ih3_iw3_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1") + padding, "f32_f32_strict", "nhwc"};
    auto plan = operation->find_provider("fixed_order")->plan(problem, {"fixed_order", "windows", {}, {}}, runner.device()).value();
    std::vector<Tensor> inputs{runner.allocate(plan->inputs()[0])};
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    std::memcpy(inputs[0].region.data, x, sizeof x);
    ASSERT_TRUE(runner.run(*plan, *operation, problem, {}, inputs));
    EXPECT_EQ(static_cast<const float*>(runner.outputs()[0].region.data)[0], corner);
  }
}

// A tie may go to any of its elements, or to several; anything else stays wrong.
TEST(WindowPooling, TheReferenceTakesEitherSideOfATieAndNothingElse) {
  const auto problem = parse_window_problem({"max_pool_bwd", "mb1_c1_ih1_iw4_kh1_kw2_sh1_sw1_pt0_pb0_pl0_pr0", "f32_f32_strict", "nhwc"}).value();
  const Expected expected = expected_max_gradient(problem, {3, 3, 1, 2}, {1, 10, 100});
  const auto accepts = [&](std::vector<float> out) {
    const Tensor tensor{problem.plan_outputs()[0], {out.data(), out.size() * sizeof(float)}};
    return compare_with_expected({expected}, {&tensor, 1}).value().passed;
  };
  EXPECT_TRUE(accepts({1, 10, 0, 100}));
  EXPECT_TRUE(accepts({0, 11, 0, 100}));   // the second of equals
  EXPECT_TRUE(accepts({1, 11, 0, 100}));   // both
  EXPECT_FALSE(accepts({1, 12, 0, 100}));
  EXPECT_FALSE(accepts({0.5f, 10, 0, 100}));
  EXPECT_FALSE(accepts({1, 10, 100, 0}));  // no tie there
}

TEST(WindowPooling, RefusesNonsenseInOneLine) {
  struct Wrong {
    const char *op, *shape, *layout, *named;
  };
  const Wrong all[] = {
      {"max_pool_fwd", "mb1_c1_ih4_iw4_kh2_kw2_sh2_sw2_pt2_pb0_pl0_pr0", "nhwc", "window"},
      {"max_pool_fwd", "mb1_c1_ih2_iw2_kh4_kw4_sh2_sw2_pt0_pb0_pl0_pr0", "nhwc", "larger"},
      {"max_pool_fwd", "mb1_c1_ih4_iw4_kh2_kw2_sh0_sw2_pt0_pb0_pl0_pr0", "nhwc", "sh0"},
      {"max_pool_fwd", "mb1_c1_ih4_iw4_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0", "nchw16c", "nchw16c"},
      {"max_pool_fwd", "mb1_c1_ih4_iw4", "nhwc", "fields"},
      {"max_pool_fwd", "mb1_c1_ih4_iw4_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0_ip1", "nhwc", "fields"},
      {"avg_pool_fwd", "mb1_c1_ih4_iw4_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0", "nhwc", "fields"},
      {"avg_pool_bwd", "mb1_c1_ih4_iw4_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0_ip2", "nhwc", "ip2"},
      {"avg_pool_bwd", "mb1048576_c1048576_ih4_iw4_kh2_kw2_sh2_sw2_pt0_pb0_pl0_pr0_ip0", "nhwc", "2^36"},
  };
  for (const Wrong& wrong : all) {
    const Problem problem{wrong.op, wrong.shape, "f32_f32_strict", wrong.layout};
    for (const WindowOp op : all_window_ops) {
      if (to_text(op) != problem.op) continue;
      const auto status = make_window_pooling_operation(op, {})->check(problem);
      ASSERT_FALSE(status) << wrong.shape;
      EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
      EXPECT_NE(status.error().text.find(wrong.named), std::string::npos) << status.error().text;
      EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    }
  }
}

TEST(WindowPooling, NamesRoundTripAndAbsentOnesSayWhy) {
  PlanRunner runner;
  for (const WindowOp op : all_window_ops) {
    const auto operation = make_window_pooling_operation(op, {});
    const Problem problem = problems_of(op)[0];
    for (const auto& provider : operation->providers()) {
      const auto offers = provider->offers(problem, runner.device()).value();
      for (const Offer& offer : offers) {
        const auto parsed = parse_case_id(case_id(problem, offer.algorithm));
        ASSERT_TRUE(parsed) << case_id(problem, offer.algorithm);
        EXPECT_EQ(case_id(parsed->problem, parsed->algorithm), case_id(problem, offer.algorithm));
        if (provider->name() == "fixed_order" || provider->name() == "openmp" || provider->name() == "onednn") continue;
        EXPECT_EQ(offer.algorithm.name, "any");
        ASSERT_TRUE(offer.unsupported);
        EXPECT_FALSE(provider->plan(problem, offer.algorithm, runner.device()));
      }
    }
    EXPECT_FALSE(operation->find_provider("fixed_order")->plan(problem, {"fixed_order", "nonsense", {}, {}}, runner.device()));
  }
}

TEST(WindowPooling, ASampleKeepsItsBitsInALargerBatch) {
  for (const WindowOp op : all_window_ops) {
    const auto operation = make_window_pooling_operation(op, {});
    const Problem problem = problems_of(op)[0];
    EXPECT_EQ(operation->batch_size(problem).value(), 2);
    const auto variant = operation->in_batch(problem, 7, 3).value();
    EXPECT_EQ(parse_window_problem(variant.problem).value().images, 7);
    EXPECT_TRUE(operation->check(variant.problem));
    ASSERT_EQ(variant.inputs.size(), op == WindowOp::max_backward ? 2u : 1u);
    EXPECT_EQ(variant.inputs[0]->offset, 3);
    EXPECT_EQ(variant.outputs[0]->size, 2);
  }
}

}  // namespace
}  // namespace detbench
