// What cuDNN's batch norm lacks to be this operation: kernels of ours that stand beside the library's in one op, and whose
// time is part of it. Plain C++; the definitions need CUDA.
#pragma once

#include "kernels/normalization/batch_norm.hpp"

namespace detbench::normalization {

/// What an algorithm's name begins with where enqueue_through() comes before the library's gradient.
constexpr std::string_view gradient_prefix(Activation activation) {
  switch (activation) {
    case Activation::relu: return "relu_mask+";
    case Activation::relu6: return "relu6_mask+";
    case Activation::swish: return "swish_slope+";
    default: return "";
  }
}

/// variance[c] = 1/inverse[c]^2 - epsilon, at least 0: cuDNN saves the inverse deviation.
Status enqueue_variance_from_inverse(const float* inverse, float* variance, std::int64_t channels, void* native_stream);
/// inverse[c] = 1/sqrt(variance[c] + epsilon): what cuDNN's backward takes.
Status enqueue_inverse_from_variance(const float* variance, float* inverse, std::int64_t channels, void* native_stream);
/// diff_dst through the gradient of the problem's activation, in the type of the activations: a mask, or the slope of swish.
/// The forward's y is computed again from the inputs of batch_norm_relu6_bwd and its like. nhwc and nchw.
Status enqueue_through(const BatchNormProblem& problem, std::span<const Tensor> inputs, void* d, void* native_stream);
/// The problem's activation in place. In 16 bits what it reads was rounded already.
Status enqueue_activation(const BatchNormProblem& problem, void* tensor, void* native_stream);

}  // namespace detbench::normalization
