#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {

namespace {

std::unique_ptr<Provider> absent(const char* name) {
  return make_absent_provider(name, "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_sums() { return absent("cudnn_legacy"); }
std::unique_ptr<Provider> make_cudnn_graph_sums() { return absent("cudnn_graph"); }

}  // namespace detbench::reduction
