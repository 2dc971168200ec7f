// A 2-D convolution as a problem: its numbers, its tensors, its text form (DESIGN section 5).
#pragma once

#include <string>
#include <string_view>

#include "kernels/problem.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// Forward; gradient of the input ("backward data"); gradient of the weights ("backward weights").
enum class Direction { forward, dgrad, wgrad };

inline constexpr Direction all_directions[] = {Direction::forward, Direction::dgrad, Direction::wgrad};
std::string_view op_name(Direction direction);  ///< "conv_fwd", "conv_dgrad", "conv_wgrad"

/// f32_f32_strict, f32_f32_tf32, f16_f32_strict or bf16_f32_strict; in weight gradients also f16_f32_strict_dwf16 and
/// bf16_f32_strict_dwbf16.
using ConvolutionTypes = ProductTypes;

/// Channels are totals over the groups; a dilation of 1 means none. Output size, as everywhere:
/// oh = floor((ih + pt + pb - (dh * (kh - 1) + 1)) / sh) + 1.
struct ConvolutionProblem {
  std::int64_t mb = 1, g = 1, ic = 1, ih = 1, iw = 1, oc = 1, kh = 1, kw = 1, sh = 1, sw = 1;
  std::int64_t pt = 0, pb = 0, pl = 0, pr = 0, dh = 1, dw = 1;
  Direction direction = Direction::forward;
  ConvolutionTypes types;
  /// "nhwc" or "nchw": activations lie so in memory, while weights are each implementation's own affair.
  /// "blocked": every tensor in the implementation's preferred layout (bare kernel time).
  std::string layout = "nhwc";

  std::int64_t oh() const { return (ih + pt + pb - (dh * (kh - 1) + 1)) / sh + 1; }
  std::int64_t ow() const { return (iw + pl + pr - (dw * (kw - 1) + 1)) / sw + 1; }
  std::int64_t icg() const { return ic / g; }
  std::int64_t ocg() const { return oc / g; }
  bool depthwise() const { return g > 1 && icg() == 1 && ocg() == 1; }
  /// Products in the longest sum of one output (taps in the padding counted).
  std::int64_t reduction_length() const;
  /// Multiplications and additions of one run, taps in the padding counted.
  double flops() const;

  Shape src_shape() const { return {mb, ih, iw, ic}; }
  Shape weights_shape() const { return {g, ocg(), kh, kw, icg()}; }
  Shape dst_shape() const { return {mb, oh(), ow(), oc}; }

  bool operator==(const ConvolutionProblem&) const = default;
};

/// The tensors in the order of Plan::inputs() and outputs(), in the layout of the problem ("blocked" counts as nhwc):
/// forward src, weights -> dst; dgrad diff_dst, weights -> diff_src; wgrad src, diff_dst -> diff_weights.
/// Weights lie as gkrsc beside nhwc, as goihw beside nchw. A weight gradient has the
/// accumulator's type, f32, unless the types say _dwf16 or _dwbf16.
struct ConvolutionTensors {
  std::vector<TensorSpec> inputs, outputs;
};
ConvolutionTensors tensors_of(const ConvolutionProblem& problem);

/// "mb32_g96_ic96_ih56_iw56_oc96_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1_dh1_dw1"
Problem to_problem(const ConvolutionProblem& problem);
/// Refuses unknown ops, types and layouts, sizes out of bounds, groups that do not divide the channels, pads as large
/// as the kernel, empty outputs, and tensors of more than 2^34 elements; one line, naming the part.
Result<ConvolutionProblem> parse_convolution(const Problem& problem);

}  // namespace detbench
