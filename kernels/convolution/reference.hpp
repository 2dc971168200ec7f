// The fp64 answer to a convolution, output by output.
#pragma once

#include "kernels/convolution/problem.hpp"
#include "kernels/op.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {

/// How one input of a convolution is filled: by role only.
Result<FillSpec> convolution_fill(const ConvolutionProblem& problem, const TensorSpec& input, const Inputs& inputs);

/// The answer for one fill, over all outputs when they are cheap, else over a seeded sample.
Result<std::unique_ptr<Reference>> make_convolution_reference(const ConvolutionProblem& problem, const Inputs& inputs);

/// One output in fp64, summed over taps and channels (forward r,s,c; dgrad r,s,k; wgrad n,p,q). `first` and `second` are
/// the two inputs in the order of tensors_of(), in canonical order (N,H,W,C and G,K,R,S,C); `index` is the output's
/// canonical index. Taps in the padding are left out.
ProductSum convolution_output(const ConvolutionProblem& problem, const float* first, const float* second,
                              std::int64_t index);

/// The outputs that are worth checking (all, or a sample of `seed`), with their sums from convolution_output; what is
/// fused behind a convolution starts from these.
CheckedOutput checked_convolution(const ConvolutionProblem& problem, const TensorSpec& output, const std::vector<float>& first,
                                  const std::vector<float>& second, std::uint64_t seed);

/// Provider `reference`: algorithm direct_f64, every output by convolution_output, rounded once. Up to 2e8 operations.
std::unique_ptr<Provider> make_reference_convolution();

}  // namespace detbench
