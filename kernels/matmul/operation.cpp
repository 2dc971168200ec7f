#include "kernels/matmul/operation.hpp"

#include "kernels/matmul/reference.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {

std::unique_ptr<Operation> make_dense_operation(DensePass pass) {
  auto operation = std::make_unique<TypedOperation<DenseProblem>>(
      op_name(pass), TypedFunctions<DenseProblem>{parse_dense, dense_fill, make_dense_reference});
  operation->add(make_onednn_dense());
  operation->add(make_fixed_order_dense());
  operation->add(make_reference_dense());
  return operation;
}

}  // namespace detbench
