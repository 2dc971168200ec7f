// The problems that a network poses: the sweep takes its cases from here, the planner asks for the same ones.
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "models/network.hpp"

namespace detbench {

/// A distinct problem and the layers that pose it, in the order of the network.
struct LayerProblem {
  Problem problem;
  std::vector<std::string> layers;
};

/// Every distinct convolution: op "conv_fwd", "conv_dgrad" or "conv_wgrad". Images need no gradient, nor what is made of
/// them without a parameter, so dgrad leaves out convolutions that read these (and dense_dgrad such layers). Layout: "nhwc", "nchw", "blocked".
std::vector<LayerProblem> convolution_problems(const Network& network, std::int64_t batch, const std::string& op,
                                               const std::string& types, const std::string& layout);
/// Of the layers whose fused activation the op names (batch_norm_op).
std::vector<LayerProblem> batch_norm_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& layout,
                                              const std::string& types = "f32_f32_strict");
/// "batch_norm_relu6_fwd"; `pass` is "fwd", "bwd" or "inference".
std::string batch_norm_op(Activation activation, std::string_view pass);
/// Op "dense_fwd", "dense_dgrad" or "dense_wgrad".
std::vector<LayerProblem> dense_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout);
/// The types of ops that multiply nothing: TF32 is a way to multiply, so it is strict f32 for them, and gradients of weights
/// are none of their business ("f16_f32_strict_dwf16" -> "f16_f32_strict").
std::string element_types(const std::string& types);
/// How the gradients of convolution weights are stored where the data has 16 bits: cuDNN's kernels write them in 16 bits too
/// and hardly any of them in f32, oneDNN's and our own write f32.
enum class WeightGradients { f32, as_data };
/// "bf16_f32_strict" -> "bf16_f32_strict_dwbf16" when stored as the data; other types as they are.
std::string weight_gradient_types(const std::string& types, WeightGradients stored);
/// All of the above, forward and backward, in that order. What else a network runs: bench/suites/other_problems.hpp.
std::vector<LayerProblem> network_problems(const Network& network, std::int64_t batch, const std::string& types, const std::string& layout,
                                           WeightGradients stored = WeightGradients::f32);

/// The problem of one layer in a pass. `op` by kind of layer, layout as that op has it:
///   convolution      conv_fwd, conv_dgrad, conv_wgrad, and what is fused ("conv_bias_relu6_fwd")
///   dense            dense_fwd, dense_dgrad, dense_wgrad ("rowmajor")
///   batch_norm       batch_norm[_relu|_relu6|_swish]_{fwd,bwd,inference}, or an activation alone over what it makes
///   scale_channels   scale_channels_{fwd,bwd}
///   global_avg_pool  global_avg_pool_{fwd,bwd}
///   max_pool         max_pool_{fwd,bwd}
///   dropout          dropout_{fwd,bwd} ("vector", with the seed 1)
///   softmax_cross_entropy
///   any with a bias  bias_add, bias_grad
///   any              ops over vectors of what it makes: add, {relu,relu6,swish,sigmoid}_{fwd,bwd}
/// Where nothing is multiplied the types are element_types(types); dropout and the loss are f32.
Problem layer_problem(const Layer& layer, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout);

}  // namespace detbench
