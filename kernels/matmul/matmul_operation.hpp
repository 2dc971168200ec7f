// The plain matrix product as an operation of the house: problems, providers, reference.
#pragma once

#include <memory>

#include "kernels/matmul/matmul_problem.hpp"
#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// "matmul", with the providers onednn, fixed_order, cublas, cublaslt, cuda and openmp.
std::unique_ptr<Operation> make_matmul_operation(const AlgorithmSearch& search = {});

/// Provider `onednn`: every implementation of its matmul primitive. Claims nothing.
std::unique_ptr<Provider> make_onednn_matmul();

/// Provider `fixed_order` (matmul_fixed_order.cpp states the orders): the same bits for any thread count, instruction
/// set and GPU.
std::unique_ptr<Provider> make_fixed_order_matmul(const AlgorithmSearch& search);

/// Provider `openmp` on a CPU: split_k_atomic, whose parts meet as threads get through.
std::unique_ptr<Provider> make_openmp_matmul();

}  // namespace detbench
