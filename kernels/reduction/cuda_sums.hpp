// Rows of the provider `cuda_fixed` that live in files of their own.
#pragma once

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// fixed_tree: the CPU's bits (fixed_tree.hpp).
TableRow cuda_fixed_tree_row();
/// order_independent: the CPU's bits (superaccumulator.hpp).
TableRow cuda_order_independent_row();

}  // namespace detbench::reduction
