// How much memory a network's activations take, as the description has it and whatever the planner makes of it: the figure
// that says beforehand which batch can fit. Workspaces, gradients, weights and padding come on top (the train step's own
// plan counts those).
#pragma once

#include <cstdint>

#include "models/network.hpp"

namespace detbench {

/// Bytes of the tensors that backward reads again, each once: the inputs of convolutions, dense layers, batch norms,
/// activations, max poolings and squeeze-excite's products, the logits, and batch norm's statistics (f32). Additions,
/// averages, rescaling and dropout (its mask is drawn again) keep nothing.
std::int64_t training_activation_bytes(const Network& network, std::int64_t batch, std::int64_t bytes_per_element = 4);

/// The most bytes alive at once in a forward pass that keeps nothing: of each layer what it reads, what it makes, and what a
/// later layer still waits for. Elementwise layers write over what they alone read; flatten and, at inference, dropout are
/// no layers at all.
std::int64_t inference_activation_bytes(const Network& network, std::int64_t batch, std::int64_t bytes_per_element = 4);

}  // namespace detbench
