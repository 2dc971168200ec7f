// Element-wise work on an activation with one value per channel: what squeeze-and-excitation multiplies with, and biases.
//   scale_channels_fwd   src (N,H,W,C), scale (N,C) -> dst                      dst[n,h,w,c] = src[n,h,w,c] * scale[n,c]
//   scale_channels_bwd   src, scale, diff_dst -> diff_src, diff_scale (N,C)     diff_src = diff_dst * scale,
//                                                                               diff_scale[n,c] = sum over h,w of diff_dst * src
//   bias_add             src, bias (C) f32 -> dst                               dst[n,h,w,c] = src[n,h,w,c] + bias[c]
// The sum of scale_channels_bwd in fixed order, per (n, c) over the pixels of one image: order.hpp.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

enum class ChannelwisePass { scale_forward, scale_backward, bias_add };

/// Shape "mb8_c96_h48_w48"; types "f32_f32_strict", "f16_f32_strict" and "bf16_f32_strict": activations, scales and gradients as
/// stored, biases and sums in f32, each element rounded once at the end; layouts nhwc, nchw, nchw16c and nchw8c, the blocked ones
/// on a CPU. Scales, biases and their gradients are plain (N,C) and (C) in every layout.
struct ChannelwiseProblem {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  ChannelwisePass pass = ChannelwisePass::scale_forward;
  std::string layout;
  DataType storage = DataType::f32;

  std::int64_t plane() const { return height * width; }
  Shape activation_shape() const { return {batch, height, width, channels}; }
};
Result<ChannelwiseProblem> parse_channelwise(const Problem& problem);
Problem scale_channels_problem(bool backward, std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout,
                               std::string types = "f32_f32_strict");
Problem bias_add_problem(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout,
                         std::string types = "f32_f32_strict");

/// Inputs and outputs in the order above.
struct ChannelwiseSpecs {
  std::vector<TensorSpec> inputs, outputs;
};
Result<ChannelwiseSpecs> channelwise_specs(const ChannelwiseProblem& problem);

/// The three operations. Providers: fixed_order on both kinds of device, with the same bits; cuda (atomic) and openmp (chunk_atomic)
/// for the sum; onednn on a CPU for the two that sum nothing.
std::vector<std::unique_ptr<Operation>> make_channelwise_operations(const AlgorithmSearch& search = {});

}  // namespace detbench
