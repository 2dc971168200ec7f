// Pooling's graphs, for whoever asks cuDNN about them without a GPU. Only files that are built with cuDNN's headers include
// this.
#pragma once

#include "kernels/cudnn/graph_plan.hpp"
#include "kernels/pooling/window_problem.hpp"

namespace detbench::pooling {

/// Inputs src, diff_dst and what the forward keeps, dst and winners, for a maximum's backward pass; else the problem's own.
Result<cudnn::GraphProblem> resample_graph(const WindowProblem& problem, std::int64_t alignment_bytes);

}  // namespace detbench::pooling
