// Plans the backward pass over a planned forward pass. Gradients of weights come before those of data, because what
// follows reads the data gradient, which is then still in the cache.
#pragma once

#include <vector>

#include "models/forward_planner.hpp"

namespace detbench {

class BackwardPlanner {
 public:
  BackwardPlanner(GraphBuilder& builder, const TrainingSpec& spec, ForwardValues& forward);

  /// `gradient`: of the logits (the input of the last layer). Plans all layers, last to first.
  Status plan_layers(int gradient);
  /// By parameter.
  std::vector<Copies>& parameter_gradients() { return parameter_gradients_; }

 private:
  Status plan_layer(int i);
  Status plan_product(int i);
  Status plan_batch_norm(int i);
  Status plan_activation(int i);
  Status plan_scale_channels(int i);
  Status plan_dropout(int i);
  /// Another gradient of a tensor; the second and later ones are added in this order: that of the backward walk.
  Status contribute(int tensor, int value, const std::string& layer);
  GraphBuilder& b_;
  const TrainingSpec& spec_;
  ForwardValues& forward_;
  std::vector<Copies> gradients_;   ///< by tensor
  std::vector<bool> needed_;        ///< by tensor: some parameter lies before it
  std::vector<Copies> parameter_gradients_;
};

}  // namespace detbench
