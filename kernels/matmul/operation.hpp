// The dense layer as an operation of the house: problems, providers, reference.
#pragma once

#include <memory>

#include "kernels/matmul/problem.hpp"
#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// "dense_fwd", "dense_dgrad" or "dense_wgrad", with the providers onednn, fixed_order, reference, cublas, cublaslt and
/// cuda.
std::unique_ptr<Operation> make_dense_operation(DensePass pass, const AlgorithmSearch& search = {});

/// Provider `onednn`: every implementation of its inner product, named and listed as the convolutions' are
/// (kernels/convolution/operation.hpp). Claims nothing.
std::unique_ptr<Provider> make_onednn_dense();

/// Provider `fixed_order` (fixed_order.cpp and matmul_fixed_order.cpp state the orders): the same bits for any thread count,
/// instruction set and GPU.
std::unique_ptr<Provider> make_fixed_order_dense(const AlgorithmSearch& search);

}  // namespace detbench
