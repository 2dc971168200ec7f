// Batch normalization in training mode, alone and fused with ReLU6. Four operations:
//   batch_norm_fwd, batch_norm_relu6_fwd   (src, gamma, beta) -> (dst, mean, variance)
//   batch_norm_bwd                         (src, diff_dst, mean, variance, gamma) -> (diff_src, diff_gamma, diff_beta)
//   batch_norm_relu6_bwd                   (src, diff_dst, mean, variance, gamma, beta) -> the same
// Per channel over M = N*H*W values, as Keras's TensorFlow backend has it (keras/src/backend/tensorflow/nn.py and
// keras/src/layers/normalization/batch_normalization.py, 3.16.0):
//   mean = sum(x)/M, variance = sum((x-mean)^2)/M (biased), scale = gamma/sqrt(variance+epsilon),
//   y = x*scale + (beta - mean*scale); ReLU6 clips y to [0, 6].
// Backward, with d = diff_dst (for ReLU6: where 0 < y < 6, else 0) and inv = 1/sqrt(variance+epsilon):
//   diff_beta = sum(d), diff_gamma = sum(d*(x-mean))*inv, diff_src = gamma*inv*(d - diff_beta/M - (x-mean)*inv*diff_gamma/M).
// The ReLU6 mask is recomputed from src by the forward formula and not read from dst: it saves a stream of memory in an
// op that waits for memory, and the forward's output may then be clipped in place.
#pragma once

#include <memory>
#include <vector>

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
  bool backward = false, relu6 = false;
  std::string layout;
  DataType storage = DataType::f32;

  std::int64_t pixels() const { return batch * height * width; }
  Shape activation_shape() const { return {batch, height, width, channels}; }
};
Result<BatchNormProblem> parse_batch_norm(const Problem& problem);
Problem batch_norm_problem(bool backward, bool relu6, std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width, std::string layout, std::string types = "f32_f32_strict");

/// Inputs and outputs in the order above, activations in the named layout.
struct BatchNormSpecs {
  std::vector<TensorSpec> inputs, outputs;
};
Result<BatchNormSpecs> batch_norm_specs(const BatchNormProblem& problem, std::string_view activation_layout_name);

/// The four operations. Providers: fixed_order on both kinds of device, with the same bits; onednn on a CPU; cuda,
/// cudnn_legacy and cudnn_graph on CUDA, the last with the configurations that `search` asks for.
std::vector<std::unique_ptr<Operation>> make_batch_norm_operations(const AlgorithmSearch& search = {});

/// statistics = statistics*momentum + batch*(1 - momentum), in f32 (Keras 3.16.0, batch_normalization.py; the biased
/// batch variance goes in). Inputs: mean, variance of the batch; outputs: moving_mean, moving_variance, updated in place.
std::unique_ptr<Plan> plan_moving_statistics(std::int64_t channels, double momentum);

namespace normalization {
std::unique_ptr<Provider> make_fixed_order_provider();
std::unique_ptr<Provider> make_onednn_provider();
std::unique_ptr<Provider> make_cuda_provider();
std::unique_ptr<Provider> make_cudnn_legacy_provider();
std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch& search);
}  // namespace normalization

}  // namespace detbench
