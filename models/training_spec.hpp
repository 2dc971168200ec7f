// How a network is trained: everything that can change bits besides the selection.
#pragma once

#include <string>
#include <vector>

#include "kernels/optimizer/optimizer.hpp"
#include "models/seeds.hpp"

namespace detbench {

struct TrainingSpec {
  /// Storage, accumulator and math mode of the step, as a problem names them: "f32_f32_strict", "f32_f32_tf32",
  /// "bf16_f32_strict", "f16_f32_strict". With 16 bits activations, their gradients and the weights that kernels read are
  /// stored so; parameters, optimizer slots, statistics, logits and loss are f32 (mixed precision with master weights).
  std::string types = "f32_f32_strict";
  OptimizerSpec optimizer = {.momentum = 0.9};
  /// Learning rate of each step; later steps use the last one.
  std::vector<double> learning_rates = {0.01};
  double label_smoothing = 0;
  /// Weight decay leaves out batch norm's gamma and beta and all biases (the usual recipe; Keras decays everything
  /// unless told otherwise).
  bool decay_kernels_only = false;
  /// Dropout and drop-connect; false: as if their rates were 0.
  bool regularized = true;
  Seeds seeds;

  /// 16-bit floats of 5 exponent bits lose small gradients, so these are scaled up on their way (Keras's LossScaleOptimizer).
  bool loss_scaled() const { return types.starts_with("f16"); }
};

}  // namespace detbench
