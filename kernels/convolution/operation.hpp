// Convolution as an operation of the house: problems, providers, reference.
#pragma once

#include <memory>

#include "kernels/convolution/problem.hpp"
#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// "conv_fwd", "conv_dgrad" or "conv_wgrad", with the providers onednn, cudnn_graph, cudnn_legacy, cuda,
/// fixed_order and reference.
/// The search says how far cuDNN's configurations are looked for.
std::unique_ptr<Operation> make_convolution_operation(Direction direction, const AlgorithmSearch& search = {});

/// Provider `onednn`: every implementation that oneDNN offers, by its own name. Where two of one list have the same
/// name, the later ones end in ";2", ";3". In an nhwc or nchw problem an implementation found with activations in that
/// layout runs bare (weights in its own layout); one found with format "any" is an arm with the option formats=any, whose
/// enqueue() reorders inputs and outputs from and to the problem's layouts. Claims nothing.
std::unique_ptr<Provider> make_onednn_convolution();

/// Provider `cudnn_graph`: every engine of cuDNN's graph API with its knobs, as far as the search goes: "eng20[TILE_SIZE=3]".
/// Unequal pads: engines that refuse them are arms "pad+eng1" (zeros added by hand, timed with the convolution) or "sym+eng1"
/// (equal pads that give the same sums). "pick:heur_mode_a", _b, _fallback and _instant take what the heuristics' list has first.
/// Offers carry tiers, ranks, notes and workspace; any configuration can be planned by name, offered or not.
std::unique_ptr<Provider> make_cudnn_graph_convolution(const AlgorithmSearch& search = {});

/// Provider `fixed_order`: ours, the same bits for any thread count and instruction set, and on a GPU (fixed_order.hpp has
/// the order).
std::unique_ptr<Provider> make_fixed_order_convolution();

}  // namespace detbench
