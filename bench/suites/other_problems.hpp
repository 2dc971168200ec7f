// The problems beside convolutions, dense layers and batch norm: what else a network runs, plain matrix products, fused
// convolutions, and the patterns in which gradients meet.
#pragma once

#include <string>
#include <vector>

#include "models/network.hpp"
#include "models/problems.hpp"

namespace detbench {

/// How many of them a profile takes.
enum class Breadth {
  none,
  few,  ///< one problem per op, of the size in the middle
  all   ///< every distinct one
};

/// For one network at one batch: bias gradients, fused convolutions, matrix products (split-K shapes among them), pooling
/// (global, and windows that overlap and that do not), softmax, dropout, activations. `types` is taken by the ops
/// that have it, f32 by the others, once. Layers are named as the network names them; problems of no layer have none.
std::vector<LayerProblem> other_problems(const Network& network, std::int64_t batch, const std::vector<std::string>& types,
                                         const std::string& layout, Breadth breadth);

}  // namespace detbench
