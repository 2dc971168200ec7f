// Turns a network, a selection and a device into a program: every op planned through the providers that the sweep
// measures, layouts decided, reorders inserted and listed.
//
// How algorithms are found. A problem with a rule takes it: provider, algorithm and layout. A problem without one takes
// the library's heuristic choice: the first offer of the device's libraries (models/chooser.hpp) in the network's
// activation layout, or fixed order where there is no library; it is marked `fallback`. Ops between convolutions (batch
// norm, pooling) work on the layout that their input has, where that changes nothing that was measured: a rule of another
// layout gets its reorders, unless its bits do not depend on the layout by construction (fixed_order).
#pragma once

#include <memory>
#include <vector>

#include "kernels/selection/selection.hpp"
#include "models/network.hpp"
#include "models/program.hpp"
#include "models/training_spec.hpp"

namespace detbench {

/// Every operation that a network may use. Providers that the build lacks are in it with their reason.
std::shared_ptr<const Registry> make_network_registry();

/// A selection without rules: the library's own choices, in layouts it likes best.
Selection library_heuristic_selection();
/// Our fixed-order kernels end to end, activations in nhwc.
Selection fixed_order_selection();

/// A train step as a program. External tensors, in order: images, labels, `rates` (TrainingSpec's table), the scalar loss,
/// `step` (i32), the loss scale and its count of good steps where there are any, one tensor per parameter, the optimizer's
/// slots (all first ones, then all second ones), moving mean and variance per batch norm.
struct TrainProgram {
  Program program;
  TrainingSpec spec;
  std::vector<float> rates;
  TensorSpec images, labels, rates_spec, loss, step;
  std::vector<TensorSpec> scaling;            ///< "loss_scale" f32, "good_steps" i32; empty without loss scaling
  std::vector<TensorSpec> parameters, slots, moving;  ///< roles "Conv1/kernel", "Conv1/kernel/velocity", "bn_Conv1/moving_mean"
  int fallbacks = 0;                          ///< ops whose problem had no rule
  int streams = 1;                            ///< for which memory was planned
};

/// `streams` > 1 plans memory so that gradients of weights may run beside the rest. Errors name the layer, the op, the
/// policy and the provider's reason.
Result<TrainProgram> plan_train_program(const Network& network, std::int64_t batch, const Selection& selection, const TrainingSpec& spec,
                                        const Registry& registry, Device& device, int streams = 1);

/// A forward pass with moving statistics as a program. External tensors, in order: images, logits (N,K) f32, one tensor per
/// parameter, moving mean and variance per batch norm.
struct InferenceProgram {
  Program program;
  TensorSpec images, logits;
  std::vector<TensorSpec> parameters, moving;
  int fallbacks = 0;
};
Result<InferenceProgram> plan_inference_program(const Network& network, std::int64_t batch, const Selection& selection, const std::string& types,
                                                const Registry& registry, Device& device);

}  // namespace detbench
