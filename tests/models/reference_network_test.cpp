#include "models/reference_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "kernels/tensor/compare.hpp"
#include "models/catalog.hpp"
#include "models/efficientnet.hpp"
#include "models/mobilenet_v2.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench {
namespace {

using testing::Example;

/// What the loss depends on beside the parameters.
struct Conditions {
  double smoothing = 0;
  bool drops = false;
  double image_scale = 1;
};

/// Central differences against the analytic gradient, for a seeded sample of every parameter tensor. A difference that
/// crosses a kink (ReLU, ReLU6, the largest of a window) is wrong by itself: it shows as a disagreement between two step
/// widths, and is left out; few are.
void check_gradients(const Network& network, std::int64_t batch, std::uint64_t seed, int per_parameter, std::size_t every = 1, const Conditions& conditions = {}) {
  Example example(network, batch, seed);
  for (double& v : example.images) v *= conditions.image_scale;
  // Random gammas, betas and biases: at their initial values many gradients vanish by symmetry.
  std::mt19937_64 random(seed);
  const auto parameters_of = network.parameters();
  for (std::size_t p = 0; p < parameters_of.size(); ++p)
    if (parameters_of[p].role != "kernel")
      for (double& v : example.parameters[p]) v += 0.5 * (static_cast<double>(random() >> 11) * 0x1p-53 - 0.5);
  ReferenceNetwork reference(network, batch, example.images, example.labels);
  reference.set_label_smoothing(conditions.smoothing);
  if (conditions.drops) reference.set_dropout(dropout_factors(network, batch, Seeds{}, 5));
  std::vector<std::vector<double>> analytic;
  reference.gradients(example.parameters, analytic);
  int checked = 0, kinks = 0;
  for (std::size_t p = 0; p < parameters_of.size(); p += every)
    for (int t = 0; t < per_parameter; ++t) {
      ASSERT_EQ(analytic[p].size(), example.parameters[p].size()) << parameters_of[p].name;
      const std::size_t j = random() % analytic[p].size();
      auto& value = example.parameters[p][j];
      const double keep = value;
      const auto difference = [&](double h) {
        value = keep + h;
        const double above = reference.loss(example.parameters);
        value = keep - h;
        const double below = reference.loss(example.parameters);
        value = keep;
        return (above - below) / (2 * h);
      };
      // A central difference errs by O(h^2); rounding adds some 1e-16/h.
      const double wide = difference(2e-6), narrow = difference(1e-6);
      const double scale = std::abs(wide) + std::abs(narrow) + 1e-4;
      if (std::abs(wide - narrow) > 1e-4 * scale) {
        ++kinks;
        continue;
      }
      ++checked;
      EXPECT_NEAR(analytic[p][j], narrow, 3e-4 * scale) << parameters_of[p].name << "[" << j << "]";
    }
  EXPECT_GT(checked, 9 * kinks) << "too many differences met a kink: " << kinks << " of " << checked + kinks;
}

/// Every kind of layer behind a parameter, so that a gradient has to pass through it: what tests/models/small_networks.hpp
/// lacks.
Network every_other_layer() {
  NetworkBuilder b("every_other_layer", {12, 11, 3}, 5);
  int x = b.rescaling("rescaling", 0, 1.0 / 16, -0.25);
  x = b.normalization("normalization", x);
  x = b.convolution("conv", x, 6, 3, 1, true);
  x = b.activation("relu", x, Activation::relu);
  x = b.max_pool("pool", x, 2);
  x = b.rescaling("rescaled_inside", x, 1.5, 0.25);
  x = b.normalization("normalized_inside", x);
  const int block = x;
  x = b.convolution("expand", x, 12, 1, 1);
  x = b.batch_norm("expand_bn", x, Activation::swish);
  x = b.depthwise("dwconv", x, 5, 1);
  x = b.batch_norm("bn", x, Activation::relu);
  int s = b.global_avg_pool("se_squeeze", x);
  s = b.dense("se_reduce", s, 4, true);
  s = b.activation("se_reduce_swish", s, Activation::swish);
  s = b.dense("se_expand", s, 12, true);
  s = b.activation("se_expand_sigmoid", s, Activation::sigmoid);
  x = b.scale_channels("se_excite", x, s);
  x = b.convolution("project", x, 6, 1, 1);
  x = b.batch_norm("project_bn", x, Activation::none);
  x = b.dropout("drop", x, 0.4, true);
  x = b.add("add", x, block);
  x = b.activation("relu6", x, Activation::relu6);
  x = b.dropout("dropout", x, 0.3, false);
  x = b.max_pool("second_pool", x, 2);
  x = b.flatten("flatten", x);
  x = b.dense("predictions", x, 5);
  b.softmax_cross_entropy("loss", x);
  return b.take();
}

TEST(ReferenceNetwork, GradientsOfEveryKindOfLayerAgreeWithFiniteDifferences) { check_gradients(testing::small_network(), 3, 11, 12); }

TEST(ReferenceNetwork, GradientsOfMobileNetV2AgreeWithFiniteDifferences) {
  // Every fifth tensor of 158: kernels, gammas and betas of all depths take turns.
  check_gradients(make_mobilenet_v2(0.35, 32, 5).value(), 4, 12, 1, 5);
}

TEST(ReferenceNetwork, GradientsOfTheOtherLayersAgreeWithFiniteDifferences) {
  std::set<LayerKind> kinds;
  for (const auto& network : {every_other_layer(), testing::small_network()})
    for (const auto& l : network.layers) kinds.insert(l.kind);
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(LayerKind::softmax_cross_entropy) + 1) << "a kind of layer that no test differentiates";
  check_gradients(every_other_layer(), 4, 13, 10);
}

TEST(ReferenceNetwork, GradientsWithDropoutAndSmoothedLabelsAgreeWithFiniteDifferences) {
  check_gradients(every_other_layer(), 6, 14, 10, 1, {0.1, true, 1});
  check_gradients(testing::small_network(), 3, 15, 6, 1, {0.3, false, 1});
}

TEST(ReferenceNetwork, GradientsOfEfficientNetAgreeWithFiniteDifferences) {
  // Narrower and with half the blocks, but for skips in three stages: batch norm of the real one over the few pixels that are
  // affordable here is so curved that differences say nothing. Every third tensor takes its turn.
  const EfficientNetVariant tiny{"tiny", EfficientNetFamily::b, 0.25, 0.5, 64, 0.2};
  check_gradients(make_efficientnet(tiny, 64, 5).value(), 4, 16, 1, 3, {0.1, true, 128});
}

TEST(ReferenceNetwork, GradientsOfTheSmallNetworksAgreeWithFiniteDifferences) {
  check_gradients(make_network("small_cnn", 12, 4).value(), 3, 17, 8, 1, {0, true, 128});
  check_gradients(make_network("small_dense", 1, 10).value(), 5, 18, 20);
}

TEST(ReferenceNetwork, LossOfSmoothedLabelsIsTheMixtureOfLosses) {
  const auto network = make_network("small_dense", 1, 4).value();
  const Example example(network, 6, 3);
  ReferenceNetwork reference(network, 6, example.images, example.labels);
  const double plain = reference.loss(example.parameters);
  double uniform = 0;  // the mean over all labels that could be asked for
  for (std::int32_t label = 0; label < 4; ++label) {
    ReferenceNetwork other(network, 6, example.images, std::vector<std::int32_t>(6, label));
    uniform += other.loss(example.parameters) / 4;
  }
  reference.set_label_smoothing(0.1);
  EXPECT_NEAR(reference.loss(example.parameters), 0.9 * plain + 0.1 * uniform, 1e-14);
}

TEST(ReferenceNetwork, DropoutKeepsItsShareAndWholeSamples) {
  const auto network = every_other_layer();
  const std::int64_t batch = 400;
  const auto factors = dropout_factors(network, batch, Seeds{}, 2);
  const auto share = [&](const char* name, double rate) {
    const auto& f = factors[network.layer_named(name)];
    const auto& out = network.layers[network.layer_named(name)].out;
    EXPECT_EQ(f.size(), static_cast<std::size_t>(batch * out.height * out.width * out.channels));
    std::int64_t zeros = 0;
    for (const double v : f) {
      EXPECT_TRUE(v == 0 || v == static_cast<double>(static_cast<float>(1 / (1 - rate))));
      zeros += v == 0;
    }
    return static_cast<double>(zeros) / static_cast<double>(f.size());
  };
  EXPECT_NEAR(share("dropout", 0.3), 0.3, 0.01);
  EXPECT_NEAR(share("drop", 0.4), 0.4, 0.15);
  const auto& whole = factors[network.layer_named("drop")];
  const std::size_t sample = whole.size() / batch;
  for (std::size_t j = 0; j < whole.size(); ++j) ASSERT_EQ(whole[j], whole[j / sample * sample]);
  EXPECT_NE(factors[network.layer_named("dropout")], dropout_factors(network, batch, Seeds{}, 3)[network.layer_named("dropout")]);
  Seeds other;
  other.drop_connect = 9;
  const auto changed = dropout_factors(network, batch, other, 2);
  EXPECT_EQ(changed[network.layer_named("dropout")], factors[network.layer_named("dropout")]);
  EXPECT_NE(changed[network.layer_named("drop")], whole);
}

/// Two steps of an optimizer on the dense network: weights before, gradients and weights of both steps.
struct TwoSteps {
  std::vector<double> before, gradient[2], after[2];
};
TwoSteps two_steps(const TrainingSpec& spec) {
  const auto network = make_network("small_dense", 1, 4).value();
  const Example example(network, 6, 4);
  ReferenceNetwork reference(network, 6, example.images, example.labels);
  auto state = reference.initial_state(example.parameters);
  TwoSteps t;
  t.before = state.parameters[0];
  for (int k = 0; k < 2; ++k) {
    reference.set_label_smoothing(spec.label_smoothing);
    std::vector<std::vector<double>> gradients;
    const double loss = reference.gradients(state.parameters, gradients);
    t.gradient[k] = gradients[0];
    EXPECT_EQ(reference.next_loss(state, spec), loss);
    reference.step(state, spec);
    EXPECT_EQ(state.loss, loss);
    EXPECT_EQ(state.steps, k + 1);
    t.after[k] = state.parameters[0];
  }
  return t;
}

template <class Closed>
void expect_closed_form(const TrainingSpec& spec, Closed closed) {
  const auto t = two_steps(spec);
  int moved = 0;
  for (std::size_t j = 0; j < t.before.size(); ++j) {
    const double g1 = t.gradient[0][j], g2 = t.gradient[1][j];
    const auto [first, second] = closed(t.before[j], g1, t.after[0][j], g2);
    EXPECT_NEAR(t.after[0][j], first, 1e-12) << j;
    EXPECT_NEAR(t.after[1][j], second, 1e-12) << j;
    moved += t.after[1][j] != t.before[j];
  }
  EXPECT_GT(moved, 1000);
}

// Both steps in closed form: slots begin at zero, so the second step has the first gradient's share in it and nothing else.
TEST(ReferenceNetwork, OptimizersFollowKeras) {
  TrainingSpec spec;
  spec.label_smoothing = 0.1;
  spec.learning_rates = {0.25, 0.5};
  spec.optimizer = {};
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) { return std::pair{w - 0.25 * g1, w1 - 0.5 * g2}; });
  spec.optimizer.momentum = 0.9;
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) { return std::pair{w - 0.25 * g1, w1 - 0.9 * 0.25 * g1 - 0.5 * g2}; });
  spec.optimizer.nesterov = true;
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) {
    return std::pair{w - 1.9 * 0.25 * g1, w1 - 0.81 * 0.25 * g1 - 1.9 * 0.5 * g2};
  });
  spec.optimizer = {.kind = OptimizerSpec::rmsprop, .weight_decay = 0.01};
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) {
    return std::pair{w * (1 - 0.0025) - 0.25 * g1 / std::sqrt(0.1 * g1 * g1 + 1e-7), w1 * (1 - 0.005) - 0.5 * g2 / std::sqrt(0.09 * g1 * g1 + 0.1 * g2 * g2 + 1e-7)};
  });
  spec.optimizer = {.kind = OptimizerSpec::rmsprop, .momentum = 0.5, .epsilon = 1e-3, .centered = true};
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) {
    const double first = 0.25 * g1 / std::sqrt(0.1 * g1 * g1 - 0.01 * g1 * g1 + 1e-3), mean = 0.09 * g1 + 0.1 * g2;
    return std::pair{w - first, w1 - 0.5 * first - 0.5 * g2 / std::sqrt(0.09 * g1 * g1 + 0.1 * g2 * g2 - mean * mean + 1e-3)};
  });
  spec.optimizer = {.kind = OptimizerSpec::adam};
  // Corrected means: of one gradient the gradient itself, of two their weighted mean.
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) {
    const double p = std::sqrt(1 - 0.999), q = std::sqrt(1 - 0.999 * 0.999);
    const double mean = 0.09 * g1 + 0.1 * g2, square = 0.000999 * g1 * g1 + 0.001 * g2 * g2;
    return std::pair{w - 0.25 * p * g1 / (p * std::abs(g1) + 1e-7), w1 - 0.5 * q / 0.19 * mean / (std::sqrt(square) + 1e-7)};
  });
  spec.optimizer.amsgrad = true;
  expect_closed_form(spec, [](double w, double g1, double w1, double g2) {
    const double p = std::sqrt(1 - 0.999), q = std::sqrt(1 - 0.999 * 0.999);
    const double mean = 0.09 * g1 + 0.1 * g2, square = std::max(0.001 * g1 * g1, 0.000999 * g1 * g1 + 0.001 * g2 * g2);
    return std::pair{w - 0.25 * p * g1 / (p * std::abs(g1) + 1e-7), w1 - 0.5 * q / 0.19 * mean / (std::sqrt(square) + 1e-7)};
  });
}

TEST(ReferenceNetwork, WeightDecayCanLeaveOutBiasesAndNorms) {
  const auto network = testing::small_network();
  const Example example(network, 2, 5);
  TrainingSpec spec, decayed;
  decayed.optimizer.weight_decay = 0.5;
  decayed.decay_kernels_only = true;
  ReferenceNetwork reference(network, 2, example.images, example.labels);
  auto plain = reference.initial_state(example.parameters), kernels = plain;
  reference.step(plain, spec);
  reference.step(kernels, decayed);
  const auto parameters = network.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    for (std::size_t j = 0; j < plain.parameters[p].size(); ++j)
      ASSERT_NEAR(kernels.parameters[p][j], plain.parameters[p][j] - (parameters[p].role == "kernel" ? 0.005 * example.parameters[p][j] : 0), 1e-15) << parameters[p].name;
}

// With the batch's own statistics as moving ones inference is the training forward without dropout.
TEST(ReferenceNetwork, InferenceTakesTheMovingStatistics) {
  auto network = every_other_layer();
  network.momentum = 0;
  const Example example(network, 5, 6);
  ReferenceNetwork reference(network, 5, example.images, example.labels);
  auto state = reference.initial_state(example.parameters);
  TrainingSpec spec;
  spec.regularized = false;
  spec.learning_rates = {0.0};
  reference.step(state, spec);
  const auto trained = reference.output(network.layer_named("predictions"));
  reference.set_dropout(dropout_factors(network, 5, Seeds{}, 0));
  const auto inferred = reference.logits(state);
  ASSERT_EQ(inferred.size(), trained.size());
  for (std::size_t j = 0; j < trained.size(); ++j) EXPECT_NEAR(inferred[j], trained[j], 1e-12);
  const auto begun = reference.logits(reference.initial_state(example.parameters));
  EXPECT_GT(std::abs(begun[0] - inferred[0]), 1e-6);
}

}  // namespace
}  // namespace detbench
