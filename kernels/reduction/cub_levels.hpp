// CUB's sum at its three guarantees, which CCCL has since 3.2: rows not_guaranteed, run_to_run and gpu_to_gpu of the provider
// cub. They live in a file of their own, because their headers are newer than the toolkit's.
#pragma once

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// Without such headers the rows are unsupported and say how to get them.
std::vector<TableRow> cub_level_rows();

/// What CUB sums here: vectors of f32 and f64, in their own type.
template <class Source>
inline constexpr bool is_cub_source = !Source::is_product && sizeof(typename Source::Stored) >= 4;
inline constexpr const char* missing_from_cub =
    "CUB sums vectors of f32 and f64: it has no dot product, and 16-bit values would need an iterator of ours that widens them";

}  // namespace detbench::reduction
