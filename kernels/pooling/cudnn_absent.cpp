#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

constexpr const char* reason = "this build has no cuDNN: its headers were not found when it was configured";

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_window_provider(WindowOp) { return make_absent_provider("cudnn_legacy", reason); }
std::unique_ptr<Provider> make_cudnn_graph_window_provider(WindowOp, const AlgorithmSearch&) { return make_absent_provider("cudnn_graph", reason); }
std::unique_ptr<Provider> make_cudnn_legacy_global_average_provider(bool, GlobalAverageSpecs) { return make_absent_provider("cudnn_legacy", reason); }
std::unique_ptr<Provider> make_cudnn_graph_global_average_provider(bool, GlobalAverageSpecs, const AlgorithmSearch&) { return make_absent_provider("cudnn_graph", reason); }

}  // namespace detbench::pooling
