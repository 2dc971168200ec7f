#include "kernels/fused_convolution/operation.hpp"

#include "kernels/fused_convolution/reference.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {

std::vector<std::unique_ptr<Operation>> make_fused_convolution_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const auto pattern : all_fused_patterns) {
    auto operation = std::make_unique<TypedOperation<FusedConvolutionProblem>>(
        op_name(pattern),
        TypedFunctions<FusedConvolutionProblem>{parse_fused_convolution, fused_convolution_fill, make_fused_convolution_reference});
    operation->add(make_onednn_fused_convolution());
    operation->add(make_cudnn_graph_fused_convolution(search));
    operation->add(make_fixed_order_fused_convolution());
    operations.push_back(std::move(operation));
  }
  return operations;
}

}  // namespace detbench
