#include "kernels/convolution/operation.hpp"

#include "kernels/convolution/depthwise_atomic.hpp"
#include "kernels/convolution/legacy_cudnn.hpp"
#include "kernels/convolution/reference.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {

std::unique_ptr<Operation> make_convolution_operation(Direction direction, const AlgorithmSearch& search) {
  auto operation = std::make_unique<TypedOperation<ConvolutionProblem>>(
      op_name(direction), TypedFunctions<ConvolutionProblem>{parse_convolution, convolution_fill, make_convolution_reference});
  operation->add(make_onednn_convolution());
  operation->add(make_cudnn_graph_convolution(search));
  operation->add(make_cudnn_legacy_convolution(search));
  operation->add(make_cuda_convolution());
  operation->add(make_fixed_order_convolution());
  operation->add(make_reference_convolution());
  return operation;
}

}  // namespace detbench
