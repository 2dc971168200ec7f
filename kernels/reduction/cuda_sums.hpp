// What the CUDA half of `sum` and `dot` gives: rows for the providers that CPU and CUDA share, and providers of its own.
// Without a toolkit the rows are none and the providers say why.
#pragma once

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// Rows of DeviceKind::cuda for fixed_order, under the names of the CPU's and with their bits.
std::vector<TableRow> cuda_fixed_order_sum_rows();
/// The same for order_independent.
std::vector<TableRow> cuda_order_independent_sum_rows();

std::unique_ptr<Provider> make_cuda_atomic_sums();
std::unique_ptr<Provider> make_cub_sums();
std::unique_ptr<Provider> make_cublas_sums();
std::unique_ptr<Provider> make_cudnn_sums();
std::unique_ptr<Provider> make_cudnn_graph_sums();

}  // namespace detbench::reduction
