// A forward convolution with something fused behind it, the two patterns of inference and of training.
//   conv_bias_relu6_fwd  (src, weights, bias) -> dst:                    dst = min(max(conv + bias, 0), 6)
//   conv_stats_fwd       (src, weights) -> (dst, sum, square_sum):       per channel the sums that batch norm wants
// Bias, sum and square_sum are f32 vectors over the output channels; sums are over dst as it is stored.
#pragma once

#include <string_view>

#include "kernels/convolution/problem.hpp"

namespace detbench {

enum class FusedPattern { bias_relu6, stats };
inline constexpr FusedPattern all_fused_patterns[] = {FusedPattern::bias_relu6, FusedPattern::stats};
std::string_view op_name(FusedPattern pattern);  ///< "conv_bias_relu6_fwd", "conv_stats_fwd"

/// Shape, types and layout are a forward convolution's, but for the layout "blocked".
struct FusedConvolutionProblem : ConvolutionProblem {
  FusedPattern pattern = FusedPattern::bias_relu6;

  std::int64_t pixels() const { return mb * oh() * ow(); }
  /// The convolution's, and what is behind it: an addition and two comparisons, or a product and two additions.
  double flops() const { return ConvolutionProblem::flops() + 3.0 * static_cast<double>(pixels() * oc); }
  bool operator==(const FusedConvolutionProblem&) const = default;
};

/// In the order above. Activations and weights as in a convolution.
ConvolutionTensors tensors_of(const FusedConvolutionProblem& problem);
Problem to_problem(const FusedConvolutionProblem& problem);
Result<FusedConvolutionProblem> parse_fused_convolution(const Problem& problem);

}  // namespace detbench
