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

/// Every distinct convolution: op "conv_fwd", "conv_dgrad" or "conv_wgrad". The images need no gradient, so dgrad leaves
/// out convolutions that read them. Layout: "nhwc", "nchw", "blocked".
std::vector<LayerProblem> convolution_problems(const Network& network, std::int64_t batch, const std::string& op,
                                               const std::string& types, const std::string& layout);
/// Op "batch_norm_fwd", "batch_norm_bwd", "batch_norm_relu6_fwd" or "batch_norm_relu6_bwd".
std::vector<LayerProblem> batch_norm_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& layout);
/// Op "dense_fwd", "dense_dgrad" or "dense_wgrad".
std::vector<LayerProblem> dense_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout);
/// How the gradients of convolution weights are stored where the data has 16 bits: cuDNN's kernels write them in 16 bits too
/// and hardly any of them in f32, oneDNN's and our own write f32.
enum class WeightGradients { f32, as_data };
/// "bf16_f32_strict" -> "bf16_f32_strict_dwbf16" when stored as the data; other types as they are.
std::string weight_gradient_types(const std::string& types, WeightGradients stored);
/// All of the above, all ops, in that order.
std::vector<LayerProblem> network_problems(const Network& network, std::int64_t batch, const std::string& types, const std::string& layout,
                                           WeightGradients stored = WeightGradients::f32);

/// The problem of one layer: op as above for its kind; "add", "global_avg_pool_fwd", "global_avg_pool_bwd" and
/// "softmax_cross_entropy" too.
Problem layer_problem(const Layer& layer, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout);

}  // namespace detbench
