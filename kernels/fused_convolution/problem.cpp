#include "kernels/fused_convolution/problem.hpp"

namespace detbench {

std::string_view op_name(FusedPattern pattern) {
  return pattern == FusedPattern::stats ? "conv_stats_fwd" : "conv_bias_relu6_fwd";
}

ConvolutionTensors tensors_of(const FusedConvolutionProblem& p) {
  auto tensors = tensors_of(static_cast<const ConvolutionProblem&>(p));
  const auto channels = [&](const char* role) { return TensorSpec{role, DataType::f32, {p.oc}, canonical_layout({p.oc})}; };
  if (p.pattern == FusedPattern::bias_relu6)
    tensors.inputs.push_back(channels("bias"));
  else
    for (const char* role : {"sum", "square_sum"}) tensors.outputs.push_back(channels(role));
  return tensors;
}

Problem to_problem(const FusedConvolutionProblem& p) {
  auto problem = to_problem(static_cast<const ConvolutionProblem&>(p));
  problem.op = op_name(p.pattern);
  return problem;
}

Result<FusedConvolutionProblem> parse_fused_convolution(const Problem& problem) {
  for (const auto pattern : all_fused_patterns) {
    if (problem.op != op_name(pattern)) continue;
    auto convolution = problem;
    convolution.op = op_name(Direction::forward);
    const auto parsed = parse_convolution(convolution);
    if (!parsed) return tl::unexpected(parsed.error());
    if (parsed->layout == "blocked") return invalid_input("'blocked' is no layout of " + problem.op + ": nhwc and nchw are");
    FusedConvolutionProblem p;
    static_cast<ConvolutionProblem&>(p) = *parsed;
    p.pattern = pattern;
    return p;
  }
  return invalid_input("'" + problem.op.substr(0, 60) + "' is no fused convolution: conv_bias_relu6_fwd and conv_stats_fwd are");
}

}  // namespace detbench
