// What cuDNN's batch norm lacks to be this operation: kernels of ours that stand beside the library's in one op, and whose
// time is part of it. Plain C++; the definitions need CUDA.
#pragma once

#include "kernels/normalization/batch_norm.hpp"

namespace detbench::normalization {

/// variance[c] = 1/inverse[c]^2 - epsilon, at least 0: cuDNN saves the inverse deviation.
Status enqueue_variance_from_inverse(const float* inverse, float* variance, std::int64_t channels, void* native_stream);
/// inverse[c] = 1/sqrt(variance[c] + epsilon): what cuDNN's backward takes.
Status enqueue_inverse_from_variance(const float* variance, float* inverse, std::int64_t channels, void* native_stream);
/// Copies diff_dst where the forward's 0 < y < 6, else zero; y is computed again from the inputs of batch_norm_relu6_bwd.
/// nhwc and nchw.
Status enqueue_relu6_mask(const BatchNormProblem& problem, std::span<const Tensor> inputs, void* masked, void* native_stream);
/// Clips an activation to [0, 6] in place.
Status enqueue_clip(const BatchNormProblem& problem, void* activation, void* native_stream);

}  // namespace detbench::normalization
