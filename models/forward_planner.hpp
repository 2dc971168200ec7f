// Plans the forward pass of a network: for training (batch statistics, dropout; everything kept that the backward pass
// reads) or for inference (moving statistics).
#pragma once

#include <vector>

#include "models/graph_builder.hpp"
#include "models/training_spec.hpp"

namespace detbench {

/// Values of a planned forward pass.
struct ForwardValues {
  std::vector<Copies> tensors;               ///< 0: the images; i + 1: output of layer i
  std::vector<Parameter> parameters;
  std::vector<Copies> weights;               ///< by parameter; the first copy is the f32 master, an external tensor
  std::vector<std::vector<int>> statistics;  ///< by layer: the batch's mean and variance
  std::vector<int> moving;                   ///< moving mean and variance per batch norm, externals
  int step = -1;                             ///< i32: the number of the step, where dropout takes its masks from
  std::vector<TensorSpec> parameter_specs, moving_specs;

  /// By index: kernel first, or gamma before beta. -1: the layer has no such parameter.
  int parameter_of(int layer, std::string_view role) const;
};

class ForwardPlanner {
 public:
  /// `spec` null: inference. Both outlive the planner.
  ForwardPlanner(GraphBuilder& builder, const TrainingSpec* spec) : b_(builder), spec_(spec) {}

  /// Adds the externals: parameters, in the order and layout that the forward pass wants them in, then ...
  Status add_parameters();
  /// ... the moving statistics.
  void add_moving();
  /// `images` and (in training) `step` are values. Plans every layer but the loss; the last tensor holds the logits.
  Status plan_layers(int images, int step);
  ForwardValues& values() { return values_; }

 private:
  Status plan_layer(int i);
  Status plan_product(int i);
  Status plan_batch_norm(int i);
  Status plan_dropout(int i);
  /// One input, one output, following the input's layout.
  Status plan_following(int i, const std::string& op);
  GraphBuilder& b_;
  const TrainingSpec* spec_;
  ForwardValues values_;
  int norm_ = 0;  ///< batch norms planned so far
};

/// The random stream of a dropout layer and the seed it takes: "dropout/<layer>" or "drop_connect/<layer>".
struct DropoutStream {
  std::uint64_t seed;
  std::string name;
};
DropoutStream dropout_stream(const Layer& layer, const Seeds& seeds);

}  // namespace detbench
