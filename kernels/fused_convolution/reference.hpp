// The fp64 answer to a fused convolution.
#pragma once

#include "kernels/fused_convolution/problem.hpp"
#include "kernels/op.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {

/// How one input is filled: by role only. `exact`: integers so small that their sums often lie between 0 and 6, which larger
/// ones would leave for the clip's ends. `rounding` with a bias: weights are scaled by a power of two, for the same reason.
Result<FillSpec> fused_convolution_fill(const FusedConvolutionProblem& problem, const TensorSpec& input, const Inputs& inputs);

/// dst: every element has to lie in [0, 6], the sampled ones within the bound of the convolution's sum (product_sums.hpp) plus
/// one f32 rounding for the addition of the bias; clipping moves no two numbers apart. With the exact fill: equality.
/// Without a bias dst is held to the convolution's own reference, and the sums to the dst that the algorithm itself gave,
/// because that is what they claim to sum: |error| <= min(4 + 2 sqrt(M), M) u sum|y|, M the pixels and u = 2^-24, plus half a
/// unit of the stored type for each y where dst is narrower than f32 (an engine may sum before it rounds); squares
/// likewise, with one rounding more for the product. Exact fill: equality where the magnitudes add up to 2^24 at most.
Result<std::unique_ptr<Reference>> make_fused_convolution_reference(const FusedConvolutionProblem& problem, const Inputs& inputs);

}  // namespace detbench
