// Fused convolutions as graphs of cuDNN, with or without a GPU.
#pragma once

#include <vector>

#include "kernels/cudnn/graph_plan.hpp"
#include "kernels/cudnn/offers.hpp"
#include "kernels/fused_convolution/problem.hpp"

namespace detbench {

/// One graph: the convolution, then the addition of the bias and a ReLU with an upper clip, between them virtual tensors in
/// f32; or the convolution to dst and the generation of statistics from it. uid 1 src, 2 weights, 3 dst, 4 bias, 5 sum,
/// 6 square_sum; compute type f32.
Result<cudnn::GraphProblem> state_fused_convolution(const FusedConvolutionProblem& problem, const DeviceConfiguration& configuration = {});

/// Every row of `cudnn_graph` for a target that need not be there.
Result<std::vector<Offer>> fused_convolution_offers(const FusedConvolutionProblem& problem, const cudnn::Target& target,
                                                    const AlgorithmSearch& search, const DeviceConfiguration& configuration = {});

}  // namespace detbench
