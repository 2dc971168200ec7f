// The operations `sum` and `dot`: one number out of a vector, or out of two. The smallest problems in which the order of
// additions shows.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/op.hpp"

namespace detbench {

/// Problems "sum/nN[_DISTRIBUTION]/TYPES/vector" with N from 1 to 2^34, DISTRIBUTION uniform, wide or cancelling
/// (distribution.hpp) and TYPES f32_f32_strict, f64_f64_strict, f16_f32_strict or bf16_f32_strict: as stored, and the
/// accumulator. Input "src" of shape {N}, output "dst" of shape {1} in the accumulator's type. Providers: on a CPU openmp,
/// fixed_order, order_independent, tbb, stdpar, openblas; on CUDA cuda_atomic, fixed_order, order_independent, cub, cublas,
/// cudnn_legacy, cudnn_graph. fixed_order and order_independent give the same bits on both under the same names.
std::unique_ptr<Operation> make_sum_operation();

/// The same for the sum of products x[i] * y[i]: inputs "x" and "y". A product is rounded to the accumulator's type, apart
/// from the addition, except where an algorithm says that it takes it exactly (f64_accumulator, order_independent).
std::unique_ptr<Operation> make_dot_operation();

/// Version of the oneTBB that is loaded, like "2021.8.0"; nullopt where the build has none.
std::optional<std::string> tbb_version();
/// Version of CCCL whose CUB offers the three guarantees, like "3.5.0"; nullopt where the build has none.
std::optional<std::string> cccl_version();

}  // namespace detbench
