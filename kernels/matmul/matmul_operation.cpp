#include "kernels/matmul/matmul_operation.hpp"

#include "kernels/matmul/matmul_reference.hpp"
#include "kernels/matmul/product_providers.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {

std::unique_ptr<Operation> make_matmul_operation(const AlgorithmSearch& search) {
  auto operation = std::make_unique<TypedOperation<MatmulProblem>>(
      "matmul", TypedFunctions<MatmulProblem>{parse_matmul, matmul_fill, make_matmul_reference});
  operation->add(make_onednn_matmul());
  operation->add(make_fixed_order_matmul(search));
  operation->add(make_cublas_products(search));
  operation->add(make_cublaslt_products(search));
  operation->add(make_cuda_products());
  operation->add(make_openmp_matmul());
  return operation;
}

}  // namespace detbench
