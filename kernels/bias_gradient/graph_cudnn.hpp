// The graph of a bias gradient, for whoever asks cuDNN about it without a GPU. Only files that are built with cuDNN's
// headers include this.
#pragma once

#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/cudnn/graph_plan.hpp"

namespace detbench::bias_gradient {

/// One REDUCTION, ADD, from {N,C,H,W} to {1,C,1,1}, summed in f32. `deterministic` is CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC,
/// which exists since 9.11; nullopt leaves it alone, which means false.
Result<cudnn::GraphProblem> reduction_graph(const BiasGradientProblem& problem, std::optional<bool> deterministic, std::int64_t alignment_bytes);

/// What the library promises: the attribute's documentation where it is true; else the absence of the engine's note, which the
/// source then says beside the attribute's value. `of_engine` is cudnn::claim_of().
Claim reduction_claim(Claim of_engine, bool deterministic);

}  // namespace detbench::bias_gradient
