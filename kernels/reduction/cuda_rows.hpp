// Rows of DeviceKind::cuda for `sum` and `dot`, one file each.
#pragma once

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

// Order-dependent: provider cuda_atomic.
TableRow cuda_block_then_atomic_row();
TableRow cuda_warp_aggregated_row();
TableRow cuda_atomic_per_element_row();

// The CPU's orders, hence its bits: provider fixed_order.
TableRow cuda_fixed_tree_row();
TableRow cuda_two_pass_row();
TableRow cuda_last_block_row();
TableRow cuda_kahan_row();
TableRow cuda_neumaier_row();
TableRow cuda_f64_accumulator_row();

// No order at all: provider order_independent.
TableRow cuda_exact_window_row();
TableRow cuda_superaccumulator_row();
TableRow cuda_binned_row();

}  // namespace detbench::reduction
