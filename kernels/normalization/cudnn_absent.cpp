#include "kernels/normalization/batch_norm.hpp"

namespace detbench::normalization {
namespace {

std::unique_ptr<Provider> absent(const char* name) {
  return make_absent_provider(name, "this build has no cuDNN: its headers were not found when it was configured");
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_provider() { return absent("cudnn_legacy"); }
std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch&) { return absent("cudnn_graph"); }

}  // namespace detbench::normalization
