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

/// For one network at one batch: biases and their gradients, fused convolutions, matrix products (split-K shapes among
/// them), batch norm as inference has it, squeeze-excite's products, pooling (global, the network's own windows, and ones that
/// overlap and that do not), softmax, loss, dropout, activations, additions. `types` is taken by the ops that have it, f32
/// by the others, once; with Breadth::few activations and additions are f32 and what only inference runs is left out. Layers are named as the network names them; problems of no layer have none.
std::vector<LayerProblem> other_problems(const Network& network, std::int64_t batch, const std::vector<std::string>& types,
                                         const std::string& layout, Breadth breadth);

}  // namespace detbench
