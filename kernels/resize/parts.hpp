// Who answers resize_bilinear_bwd.
#pragma once

#include "kernels/resize/bilinear.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::resize {

struct ResizeProblem {
  std::int64_t images, channels, ih, iw, oh, ow;
  DataType storage = DataType::f32;
  std::string layout;  ///< nhwc or nchw

  Sizes sizes() const;
  Result<TensorSpec> diff_dst() const;
  Result<TensorSpec> diff_src() const;
};
/// Errors name the part that is wrong.
Result<ResizeProblem> parse_resize(const Problem& problem);
/// Tensors and alignment of ours.
Result<SimplePlanParts> resize_parts(const ResizeProblem& problem);

/// fixed_order:gather on a CPU and on a GPU.
Result<SimplePlanParts> cpu_gather(const Problem& problem);
Result<SimplePlanParts> cuda_gather(const Problem& problem);

/// Outputs' gradients meet in atomics.
std::unique_ptr<Provider> make_openmp_provider();
std::unique_ptr<Provider> make_cuda_atomic_provider();
/// The library's backward of linear resampling, every implementation.
std::unique_ptr<Provider> make_onednn_provider();

}  // namespace detbench::resize
