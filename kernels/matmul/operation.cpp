#include "kernels/matmul/operation.hpp"

#include "kernels/matmul/product_providers.hpp"
#include "kernels/matmul/reference.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {

std::unique_ptr<Operation> make_dense_operation(DensePass pass, const AlgorithmSearch& search) {
  auto operation = std::make_unique<TypedOperation<DenseProblem>>(
      op_name(pass), TypedFunctions<DenseProblem>{parse_dense, dense_fill, make_dense_reference});
  operation->add(make_onednn_dense());
  operation->add(make_fixed_order_dense(search));
  operation->add(make_reference_dense());
  operation->add(make_cublas_products(search));
  operation->add(make_cublaslt_products(search));
  operation->add(make_cuda_products());
  return operation;
}

}  // namespace detbench
