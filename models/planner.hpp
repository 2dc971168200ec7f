// Turns a network, a selection and a device into a program: every op planned through the providers that the sweep
// measures, layouts decided, reorders inserted and listed.
//
// How algorithms are found. A problem with a rule takes it: provider, algorithm and layout. A problem without one takes
// the library's heuristic choice: oneDNN's first offer in the network's activation layout, or fixed order where there
// is no oneDNN; it is marked `fallback`. Ops between convolutions (batch norm, pooling) work on the layout that their
// input has, where that changes nothing that was measured: a rule of another layout gets its reorders, unless its bits
// do not depend on the layout by construction (fixed_order).
#pragma once

#include <memory>
#include <vector>

#include "kernels/optimizer/optimizer.hpp"
#include "kernels/selection/selection.hpp"
#include "models/network.hpp"
#include "models/program.hpp"

namespace detbench {

/// Every operation that a network may use. Providers that the build lacks are in it with their reason.
std::shared_ptr<const Registry> make_network_registry();

/// A selection without rules: the library's own choices, in layouts it likes best.
Selection library_heuristic_selection();
/// Our fixed-order kernels end to end, activations in nhwc.
Selection fixed_order_selection();

/// A train step as a program. External tensors, in order: images, labels, the scalar loss, one tensor per parameter,
/// one velocity per parameter, moving mean and variance per batch norm.
struct TrainProgram {
  Program program;
  TensorSpec images, labels, loss;
  std::vector<TensorSpec> parameters, velocities, moving;  ///< roles "Conv1/kernel", "Conv1/kernel/velocity", "bn_Conv1/moving_mean"
  int fallbacks = 0;                                       ///< ops whose problem had no rule
};

/// Errors name the layer, the op, the policy and the provider's reason.
Result<TrainProgram> plan_train_program(const Network& network, std::int64_t batch, const Selection& selection, const SgdRates& rates,
                                        const Registry& registry, Device& device);

}  // namespace detbench
