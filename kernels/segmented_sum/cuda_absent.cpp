#include "kernels/segmented_sum/segmented_problem.hpp"

namespace detbench::segmented_sum {
namespace {

constexpr const char* absent_reason = "this build has no CUDA toolkit: install one and configure with DETBENCH_CUDA=ON";

}  // namespace

Result<SimplePlanParts> cuda_segment_tree(const SegmentedProblem&) { return unsupported(absent_reason); }
Result<SimplePlanParts> cuda_row_in_order(const SegmentedProblem&) { return unsupported(absent_reason); }
Result<SimplePlanParts> cuda_exact_window(const SegmentedProblem&) { return unsupported(absent_reason); }
std::unique_ptr<Provider> make_cuda_atomic_provider() { return make_absent_provider("cuda_atomic", absent_reason); }
std::unique_ptr<Provider> make_cub_provider() { return make_absent_provider("cub", absent_reason); }

}  // namespace detbench::segmented_sum
