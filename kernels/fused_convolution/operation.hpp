// Fused convolutions as operations of the house.
#pragma once

#include <memory>
#include <vector>

#include "kernels/fused_convolution/problem.hpp"
#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// conv_bias_relu6_fwd and conv_stats_fwd, with the providers onednn, cudnn_graph and fixed_order.
std::vector<std::unique_ptr<Operation>> make_fused_convolution_operations(const AlgorithmSearch& search = {});

/// Provider `onednn`, conv_bias_relu6_fwd on a CPU: every implementation that takes a bias and a clip behind the convolution, by
/// its own name. Bare with activations in the problem's layout, or with formats=any and reorders, as for convolutions.
std::unique_ptr<Provider> make_onednn_fused_convolution();

/// Provider `fixed_order`: ours on the CPU. The convolution of kernels/convolution/fixed_order.hpp in f32 whatever the storage,
/// then per element in f32: + bias, clipped (a NaN stays one), rounded to the storage once. Or, `direct+chunks512`: dst is rounded,
/// then per channel sum = sum + y and square_sum = square_sum + (y * y), both from +0 over 512 pixels at a time in
/// canonical order (the product is rounded before it is added), and the chunks' results added in order, ((c0 + c1) + c2) + ...
std::unique_ptr<Provider> make_fixed_order_fused_convolution();

/// Provider `cudnn_graph`: every engine that takes the pattern as one graph, with the tiers and the picks that convolutions have.
/// Statistics exist for NHWC only, and only behind a convolution.
std::unique_ptr<Provider> make_cudnn_graph_fused_convolution(const AlgorithmSearch& search = {});

}  // namespace detbench
