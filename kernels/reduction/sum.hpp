// The operation `sum`: one number out of a vector. The smallest problem in which the order of additions shows.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/op.hpp"

namespace detbench {

/// Problems "sum/nN/TYPES/vector" with N from 1 to 2^34 and TYPES "f32_f32_strict" or "f64_f64_strict".
/// Input "src" of shape {N}, output "dst" of shape {1}, both of that type. Providers: on a CPU openmp, fixed_order,
/// order_independent, tbb, stdpar; on CUDA cuda_atomic, cuda_fixed, cub.
std::unique_ptr<Operation> make_sum_operation();

/// Version of the oneTBB that is loaded, like "2021.8.0"; nullopt where the build has none.
std::optional<std::string> tbb_version();

}  // namespace detbench
