// The fp64 network against Keras in float64: two programs that share no code must agree to the roundings of fp64. Everything
// else is held against the fp64 network or against the same stored numbers, so this is where "equal to Keras" rests.
#include <gtest/gtest.h>

#include "models/reference_network.hpp"
#include "tests/models/keras_reference.hpp"

namespace detbench {
namespace {

using testing::KerasCase;
using testing::StoredTensors;

/// Relative to the largest tensor of the same layer: gradients that vanish by symmetry (of a beta in front of a batch norm)
/// have no size of their own.
constexpr double one_pass = 1e-9;
/// After three steps: each amplifies what came before, by up to 10^4 in ReLU6 networks over few pixels (docs/keras.md).
constexpr double after_training = 1e-5;

class KerasReferenceNetwork : public ::testing::TestWithParam<std::string> {};

void expect_near(const StoredTensors& stored, const std::string& name, std::span<const double> values, double tolerance, std::optional<double> size = {}) {
  const auto found = stored.find(name);
  ASSERT_NE(found, stored.end()) << name;
  const auto distance = testing::distance_to(found->second, name, values);
  ASSERT_TRUE(distance.shapes_agree) << name;
  const double measure = size.value_or(testing::size_in_layer(stored, name));
  EXPECT_LE(distance.largest(), tolerance * measure) << name << ", relative " << distance.largest() / measure;
}

TEST_P(KerasReferenceNetwork, AgreesInEveryLayerAndGradient) {
  const KerasCase c = testing::read_keras_case(GetParam());
  const Network network = c.make();
  ReferenceNetwork reference(network, c.batch, c.images(), c.labels());
  std::vector<std::vector<double>> gradients;
  const double loss = reference.gradients(c.parameters(network), gradients);
  EXPECT_NEAR(loss, c.loss, one_pass * c.loss);
  std::size_t compared = 0;
  for (int i = 0; i < static_cast<int>(network.layers.size()); ++i)
    if (const auto name = testing::keras_output_name(network, i)) {
      expect_near(c.forward, *name, reference.output(i), one_pass);
      ++compared;
    }
  // Every tensor that Keras stored was met, and no other. What is one-dimensional already is flattened by Keras alone.
  EXPECT_EQ(compared + (c.network == "small_dense"), c.forward.size());
  const auto parameters = network.parameters();
  ASSERT_EQ(parameters.size(), c.gradients.size());
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    ASSERT_TRUE(c.gradients.count(parameters[p].name)) << parameters[p].name;
    EXPECT_EQ(parameters[p].shape, c.gradients.at(parameters[p].name).shape) << parameters[p].name;
    expect_near(c.gradients, parameters[p].name, gradients[p], one_pass);
  }
}

TEST_P(KerasReferenceNetwork, AgreesAfterTrainingWithEveryOptimizer) {
  const KerasCase c = testing::read_keras_case(GetParam());
  const Network network = c.make();
  const auto parameters = network.parameters();
  for (const auto& run : c.runs) {
    SCOPED_TRACE(run.name);
    ReferenceNetwork reference(network, c.batch, c.images(), c.labels());
    auto state = reference.initial_state(c.parameters(network));
    const auto spec = testing::spec_of(run);
    const auto expect_moving = [&](const StoredTensors& stored, double tolerance) {
      std::size_t m = 0;
      for (const auto& l : network.layers)
        if (l.kind == LayerKind::batch_norm)
          for (const char* role : {"/moving_mean", "/moving_variance"}) expect_near(stored, l.name + role, state.moving[m++], tolerance);
      EXPECT_EQ(m, stored.size());
    };
    for (std::size_t k = 0; k < run.losses.size(); ++k) {
      reference.step(state, spec);
      EXPECT_NEAR(state.loss, run.losses[k], (k == 0 ? one_pass : after_training) * run.losses[k]) << "step " << k;
      if (k == 0) expect_moving(c.moving, one_pass);
    }
    expect_moving(run.moving, after_training);
    const auto slots = optimizer_slot_names(run.optimizer);
    ASSERT_EQ(run.slots.size(), slots.size() * parameters.size());
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      // Relative to the way that the layer's weights went, not to their size.
      expect_near(run.weights, parameters[p].name, state.parameters[p], after_training, testing::way_in_layer(run.weights, parameters[p].name));
      for (std::size_t s = 0; s < slots.size(); ++s) expect_near(run.slots, parameters[p].name + "/" + slots[s], state.slots[s * parameters.size() + p], after_training);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, KerasReferenceNetwork, ::testing::ValuesIn(testing::keras_case_names()), testing::test_name);

}  // namespace
}  // namespace detbench
