#include "kernels/loss/softmax.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "kernels/loss/rows.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using testing::PlanRunner;
const Algorithm ours{"fixed_order", "lanes", {}, {}};

TEST(Softmax, EveryCpuArmAgreesWithTheReference) {
  for (const auto& operation : make_softmax_operations())
    for (const auto& [n, k] : {std::pair{8, 1000}, {1, 1}, {3, 2}, {17, 37}, {2, 8}, {5, 33}}) {
      const Problem problem = softmax_problem(std::string(operation->op()), n, k);
      ASSERT_TRUE(operation->check(problem));
      for (const char* provider : {"fixed_order", "onednn"}) {
        PlanRunner runner(3);
        const auto offers = operation->find_provider(provider)->offers(problem, runner.device()).value();
        for (const Offer& offer : offers) {
          if (offer.unsupported) continue;
          for (const auto fill : {InputFill::rounding, InputFill::wide}) {
            const auto found = runner.verify(*operation, problem, offer.algorithm, {fill, 5});
            EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason;
            EXPECT_EQ(found.checked, static_cast<std::uint64_t>(n * k));
          }
        }
      }
    }
}

TEST(Softmax, FixedOrderHasTheSameBitsAtAnyThreadCount) {
  for (const auto& operation : make_softmax_operations()) {
    std::set<std::string> digests;
    for (const int threads : {1, 2, 5}) {
      PlanRunner runner(threads);
      ASSERT_TRUE(runner.verify(*operation, softmax_problem(std::string(operation->op()), 17, 1001), ours, {}).passed);
      digests.insert(to_hex(runner.digest()));
    }
    EXPECT_EQ(digests.size(), 1u) << operation->op();
  }
}

std::vector<float> run(const Operation& operation, std::int64_t batch, const std::vector<std::vector<float>>& given) {
  const Problem problem = softmax_problem(std::string(operation.op()), batch, static_cast<std::int64_t>(given[0].size()) / batch);
  PlanRunner runner;
  auto plan = operation.find_provider("fixed_order")->plan(problem, ours, runner.device()).value();
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < given.size(); ++i) {
    inputs.push_back(runner.allocate(plan->inputs()[i]));
    std::memcpy(inputs.back().region.data, given[i].data(), given[i].size() * sizeof(float));
  }
  EXPECT_TRUE(runner.run(*plan, operation, problem, {}, inputs));
  const auto* out = static_cast<const float*>(runner.outputs()[0].region.data);
  return {out, out + given[0].size()};
}

// Gradients against differences of the forward in long double.
TEST(Softmax, GradientsAgreeWithFiniteDifferences) {
  const auto operations = make_softmax_operations();
  const std::vector<float> x{0.5f, -1.25f, 2.0f, 0.125f}, dy{1.0f, -0.5f, 0.25f, 2.0f};
  for (const bool log : {false, true}) {
    const auto forward = [&](const std::vector<long double>& v) {
      long double sum = 0, total = 0;
      for (const long double e : v) sum += std::exp(e);
      for (std::size_t j = 0; j < v.size(); ++j) total += dy[j] * (log ? v[j] - std::log(sum) : std::exp(v[j]) / sum);
      return total;
    };
    const auto y = run(*operations[log ? 2 : 0], 1, {x});
    const auto dx = run(*operations[log ? 3 : 1], 1, {y, dy});
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::vector<long double> above(x.begin(), x.end()), below = above;
      above[i] += 1e-6L, below[i] -= 1e-6L;
      EXPECT_NEAR(dx[i], static_cast<double>((forward(above) - forward(below)) / 2e-6L), 1e-6) << log << i;
    }
  }
}

TEST(Softmax, SumsToOneAndLogIsItsLogarithm) {
  const auto operations = make_softmax_operations();
  const std::vector<float> x{1e30f, -1e30f, 80.0f, 100.0f, 1.0f, 2.0f, 3.0f, 4.0f};
  const auto y = run(*operations[0], 2, {x}), logarithms = run(*operations[2], 2, {x});
  for (int row = 0; row < 2; ++row) {
    double sum = 0;
    for (int j = 0; j < 4; ++j) {
      sum += y[row * 4 + j];
      EXPECT_TRUE(std::isfinite(y[row * 4 + j]));
      if (y[row * 4 + j] > 0) {
        EXPECT_NEAR(std::log(y[row * 4 + j]), logarithms[row * 4 + j], 1e-6);
      }
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

// What a warp of a GPU does, thread by thread on the host: four threads carry each lane, and every lane sees the same terms in
// the same order as the CPU's loop.
TEST(Softmax, AWarpsLanesAreTheCpusLanes) {
  for (const int classes : {1, 7, 8, 9, 31, 32, 33, 64, 1000}) {
    std::vector<float> terms(static_cast<std::size_t>(classes));
    for (int j = 0; j < classes; ++j) terms[static_cast<std::size_t>(j)] = static_cast<float>((j * 7919) % 1013) * 0.37f + 1e-3f;
    float cpu[rows::lanes] = {};
    for (int j = 0; j < classes; ++j) cpu[j % rows::lanes] += terms[static_cast<std::size_t>(j)];
    for (int thread = 0; thread < 32; ++thread) {
      const int lane = thread % rows::lanes;
      float sum = 0;
      for (int base = 0; base < classes; base += 32)
        for (int round = 0; round < 4; ++round)
          if (base + round * rows::lanes + lane < classes) sum += terms[static_cast<std::size_t>(base + round * rows::lanes + lane)];
      EXPECT_EQ(sum, cpu[lane]) << classes << " " << thread;
    }
  }
}

TEST(Softmax, RefusesNonsenseInOneLineAndNamesRoundTrip) {
  PlanRunner runner;
  for (const auto& operation : make_softmax_operations()) {
    const std::string op(operation->op());
    for (const auto& [shape, layout, named] : {std::tuple{"mb0_k5", "plain", "mb0"}, {"mb5", "plain", "fields"}, {"mb5_k5", "nhwc", "nhwc"}}) {
      const auto status = operation->check({op, shape, "f32_f32_strict", layout});
      ASSERT_FALSE(status);
      EXPECT_NE(status.error().text.find(named), std::string::npos) << status.error().text;
      EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    }
    const Problem problem = softmax_problem(op, 4, 10);
    for (const auto& provider : operation->providers()) {
      const auto offers = provider->offers(problem, runner.device()).value();
      for (const Offer& offer : offers) {
        const auto parsed = parse_case_id(case_id(problem, offer.algorithm));
        ASSERT_TRUE(parsed);
        EXPECT_EQ(case_id(parsed->problem, parsed->algorithm), case_id(problem, offer.algorithm));
      }
    }
    EXPECT_EQ(operation->batch_size(problem).value(), 4);
    EXPECT_EQ(operation->in_batch(problem, 9, 2).value().problem.shape, "mb9_k10");
  }
}

}  // namespace
}  // namespace detbench
