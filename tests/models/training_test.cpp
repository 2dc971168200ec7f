#include "models/training.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "kernels/device/onednn.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/reference_network.hpp"
#include "tests/models/step_runner.hpp"

namespace detbench {
namespace {

using testing::Example;
using testing::StepRunner;

/// Blocked activations with our own batch norm between the library's convolutions, and one convolution in nhwc: reorders.
Selection mixed_selection(const Network& network, std::int64_t batch) {
  Selection s;
  s.name = "mixed";
  s.activation_layout = "blocked";
  for (const char* op : {"batch_norm_fwd", "batch_norm_bwd", "batch_norm_relu6_fwd", "batch_norm_relu6_bwd"}) s.set_default(op, {"blocked", {"fixed_order", "chunks", {}, {}}});
  (void)network, (void)batch;
  s.set_default("conv_wgrad", {"nhwc", {"fixed_order", "", {}, {}}});
  return s;
}

std::vector<Selection> selections(const Network& network, std::int64_t batch) {
  return {fixed_order_selection(), library_heuristic_selection(), mixed_selection(network, batch)};
}

TEST(TrainStep, GradientsAgreeWithFp64UnderEverySelection) {
  const auto network = testing::small_network();
  const std::int64_t batch = 5;
  const std::uint64_t seed = 21;
  const Example example(network, batch, seed);
  ReferenceNetwork reference(network, batch, example.images, example.labels);
  std::vector<std::vector<double>> gradients;
  const double loss = reference.gradients(example.parameters, gradients);
  auto state = reference.initial_state(example.parameters);
  reference.step(state, TrainingSpec{});
  for (const auto& selection : selections(network, batch)) {
    StepRunner runner(network, batch, selection, 1, 2, seed);
    ASSERT_EQ(runner.error, "") << selection.name;
    ASSERT_TRUE(runner.op().reset());
    ASSERT_TRUE(runner.op().enqueue());
    EXPECT_NEAR(runner.op().current_loss().value(), loss, 1e-5 * loss);
    const auto parameters = network.parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      // The first velocity is -learning_rate times the gradient.
      const auto velocity = runner.values(runner.output(parameters[p].name + "/velocity"));
      ASSERT_EQ(velocity.size(), gradients[p].size());
      double error = 0, norm = 0;
      for (std::size_t i = 0; i < velocity.size(); ++i) {
        error += std::pow(-static_cast<double>(velocity[i]) / SgdRates{}.learning_rate - gradients[p][i], 2);
        norm += gradients[p][i] * gradients[p][i];
      }
      // f32 sums of at most 225 terms through at most 7 layers; no element of this example lies at a kink.
      EXPECT_LE(std::sqrt(error), 2e-4 * std::sqrt(norm) + 1e-7) << selection.name << " " << parameters[p].name;
    }
    std::size_t m = 0;
    for (const auto& l : network.layers)
      if (l.kind == LayerKind::batch_norm)
        for (const char* role : {"/moving_mean", "/moving_variance"}) {
          const auto moving = runner.values(runner.output(l.name + role));
          for (std::size_t c = 0; c < moving.size(); ++c) EXPECT_NEAR(moving[c], state.moving[m][c], 1e-6) << l.name << role;
          ++m;
        }
  }
}

TEST(TrainStep, FixedOrderHasTheSameBitsAtAnyThreadCount) {
  const auto network = make_mobilenet_v2(0.35, 32, 7).value();
  std::set<std::string> digests;
  for (int threads : {1, 2, 3, 4}) {
    StepRunner runner(network, 2, fixed_order_selection(), 3, threads, 3, threads % 2 ? Poison::nan_pattern : Poison::random);
    ASSERT_EQ(runner.error, "");
    for (int repeat = 0; repeat < 2; ++repeat) {
      ASSERT_TRUE(runner.op().reset());
      ASSERT_TRUE(runner.op().enqueue());
      digests.insert(to_hex(runner.digest()));
    }
  }
  EXPECT_EQ(digests.size(), 1u);
}

TEST(TrainStep, TrainingReducesTheLossUnderEverySelection) {
  const auto network = make_mobilenet_v2(0.35, 32, 10).value();
  for (const auto& selection : selections(network, 8)) {
    // One thread: on a busy machine oneDNN's spin barriers make a dozen steps last a minute.
    StepRunner runner(network, 8, selection, 12, 1, 4);
    ASSERT_EQ(runner.error, "") << selection.name;
    ASSERT_TRUE(runner.op().reset());
    ASSERT_TRUE(runner.op().enqueue());
    const auto losses = runner.values(runner.output("loss"));
    ASSERT_EQ(losses.size(), 12u);
    EXPECT_LT(losses.back(), 0.5f * losses.front()) << selection.name;
    for (const auto& t : runner.outputs)
      for (float v : runner.values(t)) ASSERT_TRUE(std::isfinite(v)) << t.spec.role;
  }
}

// Three steps by hand equal one enqueue() of three; reset() really starts anew.
TEST(TrainStep, StepsAddUp) {
  const auto network = testing::small_network();
  StepRunner three(network, 2, fixed_order_selection(), 3, 2, 5), one(network, 2, fixed_order_selection(), 1, 2, 5);
  ASSERT_TRUE(three.op().reset());
  ASSERT_TRUE(three.op().enqueue());
  ASSERT_TRUE(one.op().reset());
  for (int k = 0; k < 3; ++k) ASSERT_TRUE(one.op().enqueue());
  for (const char* role : {"stem/kernel", "predictions/bias", "top_bn/gamma/velocity", "down_bn/moving_variance"})
    EXPECT_EQ(three.values(three.output(role)), one.values(one.output(role))) << role;
  EXPECT_EQ(three.values(three.output("loss"))[2], one.values(one.output("loss"))[0]);
}

TEST(TrainStep, TheObserverSeesEveryOpAndItsOutputs) {
  const auto network = testing::small_network();
  struct Watcher : StepObserver {
    void after(const StepEvent& event) override {
      ++count[event.info.op];
      phases.insert(event.info.phase);
      EXPECT_FALSE(event.outputs.empty());
      EXPECT_GE(event.elapsed_s, 0.0);
      EXPECT_FALSE(event.info.algorithm.empty());
      if (event.info.layer == "expand" && event.info.op == "conv_fwd") {
        EXPECT_EQ(event.outputs[0].spec.shape, (Shape{2, 5, 5, 24}));
      }
    }
    std::map<std::string, int> count;
    std::set<std::string> phases;
  } watcher;
  StepRunner runner(network, 2, mixed_selection(network, 2), 1, 2, 5);
  ASSERT_EQ(runner.error, "");
  ASSERT_TRUE(runner.op().reset());
  runner.op().observe(&watcher);
  ASSERT_TRUE(runner.op().enqueue());
  EXPECT_EQ(watcher.count["conv_fwd"], 6);
  EXPECT_EQ(watcher.count["conv_wgrad"], 6);
  EXPECT_EQ(watcher.count["conv_dgrad"], 5) << "the images need no gradient";
  EXPECT_EQ(watcher.count["batch_norm_relu6_fwd"], 5);
  EXPECT_EQ(watcher.count["batch_norm_bwd"], 1);
  EXPECT_EQ(watcher.count["moving_statistics"], 1);
  EXPECT_EQ(watcher.count["add"], 2) << "the residual, and the two gradients that meet at its input";
  EXPECT_EQ(watcher.count["optimizer"], 1);
  EXPECT_EQ(watcher.count["reorder"], std::stoi(runner.plan().notes().at("reorders")));
  EXPECT_EQ(watcher.phases, (std::set<std::string>{"forward", "loss", "backward", "optimizer"}));
  const int seen = watcher.count["conv_fwd"];
  runner.op().observe(nullptr);
  ASSERT_TRUE(runner.op().enqueue());
  EXPECT_EQ(watcher.count["conv_fwd"], seen);
}

TEST(TrainStep, AProfileListsTheStepAndNearlyAllOfItIsOps) {
  const auto network = make_mobilenet_v2(0.35, 64, 100).value();
  StepRunner runner(network, 4, fixed_order_selection(), 3, 1, 5);
  const auto profile = profile_step(runner.op(), 5);
  ASSERT_TRUE(profile) << profile.error().text;
  EXPECT_EQ(profile->ops.size(), runner.op().op_count());
  EXPECT_EQ(profile->loss.size(), 5u);
  EXPECT_LT(profile->loss.back(), profile->loss.front());
  EXPECT_GT(profile->memory_bytes, 4u * 3u * 1677128u / 2u);
  EXPECT_GT(profile->images_per_s, 0.0);
  EXPECT_LE(profile->op_s, profile->step_s);
  // What a step spends outside its ops is a few clock readings each; a tenth would be hundreds of microseconds.
  EXPECT_LT(profile->overhead(), 0.10);
  EXPECT_FALSE(profile_step(runner.op(), 0));
}

TEST(TrainStep, MemoryIsShared) {
  const auto network = make_mobilenet_v2(0.35, 96, 1000).value();
  StepRunner runner(network, 8, fixed_order_selection(), 1, 1, 5);
  const auto notes = runner.plan().notes();
  EXPECT_LT(std::stoull(notes.at("arena_bytes")), std::stoull(notes.at("arena_bytes_unshared")) * 6 / 10);
}

TEST(TrainStep, ARuleThatCannotBeMetNamesPolicyProblemAndReason) {
  const auto network = testing::small_network();
  auto selection = fixed_order_selection();
  selection.name = "from_elsewhere";
  selection.set_default("conv_dgrad", {"nhwc", {"onednn", "jit:some_other_machine", {}, {}}});
  StepRunner runner(network, 2, selection, 1, 1, 5);
  for (const char* part : {"from_elsewhere", "conv_dgrad", "jit:some_other_machine", "small"}) EXPECT_NE(runner.error.find(part), std::string::npos) << runner.error;
  EXPECT_EQ(runner.error.find('\n'), std::string::npos);
}

TEST(TrainStep, AProblemWithoutARuleFallsBackToTheLibrarysChoiceAndSaysSo) {
  const auto network = testing::small_network();
  StepRunner ruled(network, 2, fixed_order_selection(), 1, 1, 5), free(network, 2, library_heuristic_selection(), 1, 1, 5);
  const auto fallbacks = [](const StepRunner& r, const std::string& op) {
    int n = 0;
    for (const auto& info : r.plan().ops()) n += info.op == op && info.fallback;
    return n;
  };
  EXPECT_EQ(ruled.plan().notes().at("fallbacks"), "0");
  EXPECT_EQ(fallbacks(free, "conv_fwd"), 6);
  if (!onednn_version()) GTEST_SKIP() << onednn_absent_reason;
  for (const auto& info : free.plan().ops())
    if (info.op.rfind("conv_", 0) == 0) {
      EXPECT_EQ(info.algorithm.rfind("onednn:", 0), 0u) << info.layer << " " << info.algorithm;
    }
}

}  // namespace
}  // namespace detbench
