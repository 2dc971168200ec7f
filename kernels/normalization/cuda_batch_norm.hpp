// The GPU half of fixed_order:chunks.
#pragma once

#include "kernels/normalization/batch_norm.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::normalization {

/// The CPU's bits on a GPU; empty where the build has no CUDA.
MakeParts cuda_fixed_order();

}  // namespace detbench::normalization
