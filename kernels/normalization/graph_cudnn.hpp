// Batch norm's graphs, for whoever asks cuDNN about them without a GPU. Only files that are built with cuDNN's headers
// include this.
#pragma once

#include "kernels/cudnn/graph_plan.hpp"
#include "kernels/normalization/batch_norm.hpp"

namespace detbench::normalization {

/// NORM_FORWARD in training mode: (src, gamma, beta) -> (dst, mean, inverse_deviation), without moving statistics; in inference
/// mode: (src, gamma, beta, moving_mean, inverse_deviation) -> dst; or NORM_BACKWARD: (src, diff_dst, mean, inverse_deviation,
/// gamma) -> (diff_src, diff_gamma, diff_beta). With `fuse_activation` the forward's answer goes through its activation in the
/// same graph. A backward cannot: of the ways to state one, cuDNN 9.19 has engines only for a mask that its own forward kept,
/// not for one that is computed again.
Result<cudnn::GraphProblem> norm_graph(const BatchNormProblem& problem, bool fuse_activation, std::int64_t alignment_bytes);

}  // namespace detbench::normalization
