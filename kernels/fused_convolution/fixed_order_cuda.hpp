// Fused convolutions in fixed order on a GPU: the bits of the CPU's. Plain header; builds without CUDA have the absent half.
#pragma once

#include <memory>

#include "kernels/fused_convolution/problem.hpp"
#include "kernels/op.hpp"

namespace detbench::fused_order {

/// `problem` lies as nhwc. The convolution in f32, then one pass over its results; two for the statistics.
Result<std::unique_ptr<Plan>> plan_on_gpu(const FusedConvolutionProblem& problem);

}  // namespace detbench::fused_order
