#include "kernels/activation/parts.hpp"

namespace detbench::activation {
namespace {

constexpr const char* reason = "this build has no cuDNN: its headers were not found when it was configured";

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_activation_provider(Kind, Specs) { return make_absent_provider("cudnn_legacy", reason); }
std::unique_ptr<Provider> make_cudnn_graph_pointwise_provider(Kind, Specs, const AlgorithmSearch&) { return make_absent_provider("cudnn_graph", reason); }

}  // namespace detbench::activation
