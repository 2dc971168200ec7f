// Rows of the provider `cuda_fixed` that live in files of their own.
#pragma once

#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench::scatter_add {

/// order_independent: the CPU's bits (superaccumulator.hpp).
reduction::TableRow cuda_order_independent_row();

}  // namespace detbench::scatter_add
