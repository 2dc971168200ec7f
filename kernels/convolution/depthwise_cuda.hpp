// The depthwise kernels of depthwise_window.hpp on a GPU. Plain header; what it declares exists only in builds with CUDA.
#pragma once

#include "kernels/convolution/problem.hpp"
#include "kernels/result.hpp"

namespace detbench::fixed_order {

/// Whether enqueue_depthwise_gather() takes these tensors: fits_depthwise(), channels in fours, aligned for groups of four.
bool takes_depthwise_gather(const ConvolutionProblem& problem, const void* in, const void* out, bool out_is_f32);
/// Forward and dgrad in the CPU's fixed order.
Status enqueue_depthwise_gather(const ConvolutionProblem& problem, const void* in, const void* weights, void* out, bool out_is_f32, void* stream);

/// Wgrad, where fits_depthwise(): all chunks' f32 parts, or with `atomic` one f32 sum per weight, zeroed here, to which the
/// chunks add their parts in whatever order they finish.
Status enqueue_depthwise_sums(const ConvolutionProblem& problem, const void* src, const void* diff_dst, float* sums, bool atomic, void* stream);

/// out = the sums in the problem's type of weight gradients, rounded once.
Status enqueue_round_sums(const ConvolutionProblem& problem, const float* sums, void* out, void* stream);

}  // namespace detbench::fixed_order
