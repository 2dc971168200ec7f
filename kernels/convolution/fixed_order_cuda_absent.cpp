#include "kernels/convolution/fixed_order_cuda.hpp"

namespace detbench::fixed_order {
namespace {

constexpr const char* absent_reason = "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON";

}  // namespace

Status can_run_on_gpu() { return unsupported(absent_reason); }
std::size_t gpu_workspace_bytes(const ConvolutionProblem&) { return 0; }
Status enqueue_on_gpu(const ConvolutionProblem&, const void*, const void*, void*, DataType, void*, void*) { return unsupported(absent_reason); }
Result<std::unique_ptr<Plan>> plan_on_gpu(const ConvolutionProblem&) { return unsupported(absent_reason); }

}  // namespace detbench::fixed_order
