// Convolution as an operation of the house: problems, providers, reference.
#pragma once

#include <memory>

#include "kernels/convolution/problem.hpp"
#include "kernels/op.hpp"

namespace detbench {

/// "conv_fwd", "conv_dgrad" or "conv_wgrad", with the providers onednn, fixed_order and reference.
std::unique_ptr<Operation> make_convolution_operation(Direction direction);

/// Provider `onednn`: every implementation that oneDNN offers, by its own name. Where two of one list have the same
/// name, the later ones end in ";2", ";3". In an nhwc or nchw problem an implementation found with activations in that
/// layout runs bare (weights in its own layout); one found with format "any" is an arm with the option formats=any, whose
/// enqueue() reorders inputs and outputs from and to the problem's layouts. Claims nothing.
std::unique_ptr<Provider> make_onednn_convolution();

/// Provider `fixed_order`: ours, the same bits for any thread count and instruction set (fixed_order.hpp has the order).
std::unique_ptr<Provider> make_fixed_order_convolution();

}  // namespace detbench
