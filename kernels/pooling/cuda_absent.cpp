#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

tl::unexpected<Reason> absent() { return unsupported("this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON"); }

}  // namespace

Result<SimplePlanParts> cuda_window_parts(const WindowProblem&, Winners) { return absent(); }
Result<SimplePlanParts> cuda_scatter_parts(const WindowProblem&, Winners) { return absent(); }
Result<SimplePlanParts> cuda_global_average_parts(const GlobalAverage&, bool, SimplePlanParts) { return absent(); }
Result<SimplePlanParts> cuda_atomic_global_average_parts(const GlobalAverage&, SimplePlanParts) { return absent(); }

}  // namespace detbench::pooling
