// The operation `bias_grad`: diff_bias[c] = sum over n, h, w of diff_dst[n, h, w, c]. The gradient of a convolution's or a
// dense layer's bias, and the plainest sum per channel that training contains.
#pragma once

#include <memory>

#include "kernels/op.hpp"
#include "kernels/reduction/distribution.hpp"
#include "kernels/search.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {

/// Shape "mb8_c96_h48_w48", and "_uniform", "_wide" or "_cancelling" behind it for other summands than normal deviates
/// (kernels/reduction/distribution.hpp; those that cancel are half the batch apart); types f32_f32_strict, f16_f32_strict, bf16_f32_strict (diff_dst as stored, diff_bias in f32);
/// layouts nhwc and nchw. Input "diff_dst" {mb, h, w, c}, output "diff_bias" {c}.
struct BiasGradientProblem {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  ProductTypes types;
  bool channels_last = true;
  reduction::Distribution distribution = reduction::Distribution::centred;

  std::int64_t pixels() const { return batch * height * width; }
  double flops() const { return static_cast<double>(pixels() - 1) * static_cast<double>(channels); }
  TensorSpec diff_dst() const;
  TensorSpec diff_bias() const;
};
Result<BiasGradientProblem> parse_bias_gradient(const Problem& problem);

/// Providers: fixed_order on both kinds of device, with the same bits; openmp on a CPU; cuda, cudnn_legacy and cudnn_graph on
/// CUDA, the last with the configurations that `search` asks for.
std::unique_ptr<Operation> make_bias_gradient_operation(const AlgorithmSearch& search = {});

namespace bias_gradient {
// One per provider; the absent twins answer with the reason.
std::unique_ptr<Provider> make_fixed_order_provider();
std::unique_ptr<Provider> make_openmp_provider();
std::unique_ptr<Provider> make_cuda_provider();
std::unique_ptr<Provider> make_cudnn_legacy_provider();
std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch& search);
}  // namespace bias_gradient

}  // namespace detbench
