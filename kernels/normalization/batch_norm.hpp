// Batch normalization, alone and fused with an activation: A stands for nothing, "_relu", "_relu6" or "_swish".
//   batch_normA_fwd        (src, gamma, beta) -> (dst, mean, variance)                      with the batch's statistics
//   batch_norm_bwd         (src, diff_dst, mean, variance, gamma) -> (diff_src, diff_gamma, diff_beta)
//   batch_normA_bwd        (src, diff_dst, mean, variance, gamma, beta) -> the same
//   batch_normA_inference  (src, gamma, beta, moving_mean, moving_variance) -> dst          with given statistics
// Per channel over M = N*H*W values, as Keras's TensorFlow backend has it (keras/src/backend/tensorflow/nn.py and
// keras/src/layers/normalization/batch_normalization.py, 3.16.0):
//   mean = sum(x)/M, variance = sum((x-mean)^2)/M (biased), scale = gamma/sqrt(variance+epsilon),
//   y = x*scale + (beta - mean*scale), and the activation of y: swish is y*sigmoid(y).
// Backward, with d = diff_dst (times the activation's slope at y: for ReLU6 1 where 0 < y < 6, else 0) and inv = 1/sqrt(variance+epsilon):
//   diff_beta = sum(d), diff_gamma = sum(d*(x-mean))*inv, diff_src = gamma*inv*(d - diff_beta/M - (x-mean)*inv*diff_gamma/M).
// y is recomputed from src by the forward formula and not read: it saves a stream of memory in an op that waits for
// memory. diff_src may lie in diff_dst's memory, but not in src's. In 16 bits y is not rounded between batch norm and activation: one rounding at the end.
#pragma once

#include <memory>
#include <vector>

#include "kernels/activation/kinds.hpp"
#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// Keras's MobileNetV2 uses it in every layer; a recorded default of these operations, not part of the name.
inline constexpr float batch_norm_epsilon = 1e-3f;

/// Shape "mb8_c96_h48_w48"; types "f32_f32_strict", "f16_f32_strict" and "bf16_f32_strict": activations and their
/// gradients as stored, everything per channel and every sum in f32; layouts nhwc, nchw, nchw16c, nchw8c and blocked (the
/// provider's own choice among the last two). The blocked ones are a CPU's.
struct BatchNormProblem {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  bool backward = false, inference = false;
  Activation activation = Activation::none;  ///< never sigmoid
  std::string layout;
  DataType storage = DataType::f32;

  std::int64_t pixels() const { return batch * height * width; }
  Shape activation_shape() const { return {batch, height, width, channels}; }
};
Result<BatchNormProblem> parse_batch_norm(const Problem& problem);
/// Training; the activation is one of those above.
Problem batch_norm_problem(bool backward, Activation activation, std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width, std::string layout, std::string types = "f32_f32_strict");
Problem batch_norm_inference_problem(Activation activation, std::int64_t batch, std::int64_t channels, std::int64_t height,
                                     std::int64_t width, std::string layout, std::string types = "f32_f32_strict");

/// Inputs and outputs in the order above, activations in the named layout.
struct BatchNormSpecs {
  std::vector<TensorSpec> inputs, outputs;
};
Result<BatchNormSpecs> batch_norm_specs(const BatchNormProblem& problem, std::string_view activation_layout_name);

/// The twelve operations. Providers: fixed_order on both kinds of device, with the same bits; onednn and openmp on a
/// CPU; cuda, cudnn_legacy and cudnn_graph on CUDA, the last with the configurations that `search` asks for.
std::vector<std::unique_ptr<Operation>> make_batch_norm_operations(const AlgorithmSearch& search = {});

namespace normalization {
std::unique_ptr<Provider> make_fixed_order_provider();
/// The chunks of `fixed_order` met by atomics.
std::unique_ptr<Provider> make_openmp_provider();
std::unique_ptr<Provider> make_onednn_provider();
std::unique_ptr<Provider> make_cuda_provider();
std::unique_ptr<Provider> make_cudnn_legacy_provider();
std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch& search);
}  // namespace normalization

}  // namespace detbench
