// What Keras computed for our networks (tests/data/keras, made by scripts/keras_reference), and how far values lie from it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/optimizer/optimizer.hpp"
#include "kernels/tensor/tensor.hpp"
#include "models/network.hpp"
#include "models/training_spec.hpp"

namespace detbench::testing {

/// One tensor of the float64 run; in our canonical order.
struct StoredTensor {
  Shape shape;
  double l2 = 0, sum = 0;
  std::vector<double> sketch;    ///< sums under random signs, see distance_to()
  std::vector<double> elements;  ///< all of them, or the seeded sample
  double f32_distance = 0;       ///< L2 distance of Keras's own float32 runs, the largest of them
  double moved = 0;              ///< weights after training: L2 distance from where they began
};
/// By name: layers ("Conv1"), parameters ("Conv1/kernel"), slots ("Conv1/kernel/velocity"), statistics ("bn_Conv1/moving_mean").
using StoredTensors = std::map<std::string, StoredTensor>;

struct StoredRun {
  std::string name;
  OptimizerSpec optimizer;
  double learning_rate = 0;
  double label_smoothing = 0;
  std::vector<double> losses, losses_f32_distance;  ///< of each step, before its update
  StoredTensors weights, slots, moving;             ///< after the last step
};

struct KerasCase {
  std::string name, network;
  std::int64_t pixels = 0, channels = 0, batch = 0, classes = 0;
  std::uint64_t seed = 0;
  double images_scale = 1;
  double loss = 0, loss_f32_distance = 0;
  StoredTensors forward, gradients, moving;  ///< of the first step, in training mode
  std::vector<StoredRun> runs;

  /// Dropout's rates are 0 on Keras's side: its masks are drawn otherwise. Rescaling's constants are f32, as they are in Keras
  /// even in float64 (a Python float becomes a float32 tensor there before it is cast), and as our f32 step has them.
  Network make() const;
  std::vector<double> images() const;
  std::vector<std::int32_t> labels() const;
  /// In the order of Network::parameters(), values of f32.
  std::vector<std::vector<double>> parameters(const Network& network) const;
};

/// Reads tests/data/keras/<name>.json.gz; throws with the reason.
KerasCase read_keras_case(const std::string& name);
/// The cases that exist, in the order of the files' names.
std::vector<std::string> keras_case_names();
std::string read_keras_file(const std::string& file);

/// How far `values` (canonical) lie from what Keras stored.
struct KerasDistance {
  /// Estimates the L2 norm of the difference from the sketches: each is the sum of all elements under random signs, so the
  /// mean square of their differences has the squared norm as its expectation. Eight of them: a relative deviation of 1/4.
  double l2 = 0;
  double norm = 0;      ///< | ||values|| - ||stored|| |, at most the true distance
  double sum = 0;       ///< |difference of the sums|, at most sqrt(n) times the true distance
  double elements = 0;  ///< root of the summed squares over the stored elements, at most the true distance
  double scale = 0;     ///< ||stored||
  std::int64_t count = 0;
  bool shapes_agree = true;

  /// The largest of the four as a lower bound of (l2: an estimate of) the true distance.
  double largest() const;
};
KerasDistance distance_to(const StoredTensor& stored, const std::string& name, std::span<const double> values);

/// The largest norm among the tensors of the layer that `name` belongs to ("Conv1" of "Conv1/kernel").
double size_in_layer(const StoredTensors& stored, const std::string& name);
/// The same of the ways that they moved in training: what errors of trained weights are measured by.
double way_in_layer(const StoredTensors& weights, const std::string& name);
/// The training that a run is: nothing dropped, everything decayed, as Keras has it.
TrainingSpec spec_of(const StoredRun& run);
/// Case names as names of parameterized tests.
std::string test_name(const ::testing::TestParamInfo<std::string>& info);

/// The stored name of what layer `i` of ours puts out, or nothing where Keras has no tensor of its own: a dense layer whose
/// activation is part of it there, dropout at rate 0, the loss.
std::optional<std::string> keras_output_name(const Network& network, int i);

}  // namespace detbench::testing
