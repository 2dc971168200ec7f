// Who answers pooling problems over windows. Parts that need CUDA answer with the reason where the build has none.
#pragma once

#include "kernels/pooling/window_problem.hpp"
#include "kernels/search.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::pooling {

/// Where a maximum's backward pass has the winners from: found again by every run, or left in the workspace by the
/// forward pass, as a training step that keeps them has it (reset() puts them there, untimed).
enum class Winners { found_again, kept };

/// Ours in fixed order; windows.hpp says which order. `winners` matters to a maximum's backward pass alone.
Result<SimplePlanParts> cpu_window_parts(const WindowProblem& problem, Winners winners);
Result<SimplePlanParts> cuda_window_parts(const WindowProblem& problem, Winners winners);
/// Backward passes whose outputs add to the inputs of their windows by atomics.
Result<SimplePlanParts> cuda_scatter_parts(const WindowProblem& problem, Winners winners);
Result<SimplePlanParts> cpu_scatter_parts(const WindowProblem& problem, Winners winners);

/// Tensors and alignment of ours.
SimplePlanParts window_parts(const WindowProblem& problem, std::size_t workspace_bytes);
/// Bytes of the winners, one for each output.
std::size_t winners_bytes(const WindowProblem& problem);

/// The fp64 answer of max_pool_bwd, canonical order. The first of equals wins here; a library may give another of them the
/// gradient, or several, so that the elements of a tie may have it or not. Fills draw ties about once in 10^8 pairs.
Expected expected_max_gradient(const WindowProblem& problem, const std::vector<double>& x, const std::vector<double>& dy);

std::unique_ptr<Operation> make_window_pooling_operation(WindowOp op, const AlgorithmSearch& search);
std::unique_ptr<Provider> make_onednn_window_provider(WindowOp op);
std::unique_ptr<Provider> make_cudnn_legacy_window_provider(WindowOp op);
std::unique_ptr<Provider> make_cudnn_graph_window_provider(WindowOp op, const AlgorithmSearch& search);

}  // namespace detbench::pooling
