// The strategies, one file each, as rows of their providers; and what CPU and CUDA rows of one name share.
#pragma once

#include "kernels/scatter_add/scatter_call.hpp"

namespace detbench::scatter_add {

// Provider `openmp`: the order of additions depends on how threads get through, or on how many there are.
ScatterAlgorithm openmp_atomic();
ScatterAlgorithm openmp_thread_partials_atomic();
ScatterAlgorithm openmp_thread_partials_in_order();

// Provider `fixed_order`: the order in each bin follows from the updates' numbers alone.
ScatterAlgorithm partition_in_order();
ScatterAlgorithm sort_tree();
ScatterAlgorithm sort_in_order();
ScatterAlgorithm f64_accumulator();
ScatterAlgorithm compensated();
ScatterAlgorithm owner_scan();
ScatterAlgorithm serial();

// Provider `order_independent`: integer additions, whose order cannot show.
ScatterAlgorithm fixed_point();
ScatterAlgorithm superaccumulator();

/// Empty, or why the strategy does not exist for a problem.
std::string f64_accumulator_missing(const ScatterProblem& problem);
std::string fixed_point_missing(const ScatterProblem& problem);
/// One exact accumulator per output.
Result<std::size_t> superaccumulator_bytes(const ScatterProblem& problem, int threads);

// The same on CUDA; empty in a build without a toolkit.
std::vector<ScatterAlgorithm> cuda_fixed_order();
std::vector<ScatterAlgorithm> cuda_order_independent();

std::unique_ptr<Provider> make_openmp_scatters();
std::unique_ptr<Provider> make_fixed_order_scatters();
std::unique_ptr<Provider> make_order_independent_scatters();
/// Per-element and aggregated atomics on CUDA; without a toolkit it answers with the reason.
std::unique_ptr<Provider> make_cuda_atomic_scatters();

}  // namespace detbench::scatter_add
