#include "kernels/fused_convolution/operation.hpp"

namespace detbench {

std::unique_ptr<Provider> make_cudnn_graph_fused_convolution(const AlgorithmSearch&) {
  return make_absent_provider("cudnn_graph", "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace detbench
