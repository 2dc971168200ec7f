// Convolutions as graphs of cuDNN, with or without a GPU: what the provider `cudnn_graph`, the catalog and the tests ask.
#pragma once

#include <vector>

#include "kernels/convolution/problem.hpp"
#include "kernels/cudnn/graph_plan.hpp"
#include "kernels/cudnn/offers.hpp"

namespace detbench {

/// The graph of one convolution: uid 1 src or its gradient, 2 weights or theirs, 3 dst or its gradient; compute type f32. The
/// declared alignments are what the configuration makes true. Refuses layout "blocked", which cuDNN does not have.
Result<cudnn::GraphProblem> state_convolution(const ConvolutionProblem& problem, const DeviceConfiguration& configuration = {});

/// Which engines the problem's precision refuses: under f32_f32_strict those with the notes TENSOR_CORE (TF32 products) and
/// DOWN_CONVERT_INPUTS, under f32_f32_tf32 the latter; REDUCED_PRECISION_REDUCTION under both.
cudnn::OfferRules convolution_rules(const ConvolutionProblem& problem, const AlgorithmSearch& search);

/// Every row of `cudnn_graph` for a target that need not be there, as Provider::offers would give them on it.
Result<std::vector<Offer>> convolution_offers(const ConvolutionProblem& problem, const cudnn::Target& target, const AlgorithmSearch& search,
                                              const DeviceConfiguration& configuration = {});

/// The row of one configuration by its name ("eng20[TILE_SIZE=3]", "pad+eng1"), whether the search would list it or not.
Result<Offer> convolution_offer(const ConvolutionProblem& problem, const cudnn::Target& target, std::string_view name, const AlgorithmSearch& search,
                                const DeviceConfiguration& configuration = {});

}  // namespace detbench
