// Softmax and log-softmax on a GPU: a warp for each row.
#include "kernels/loss/cuda_rows.hpp"
#include "kernels/loss/parts.hpp"

namespace detbench::rows {
namespace {

template <bool Log>
__global__ void __launch_bounds__(simple_cuda::block_threads)
    softmax_rows(std::int64_t batch, std::int64_t classes, const float* __restrict__ source, float* __restrict__ target) {
  for (std::int64_t n = first_row(); n < batch; n += row_step()) {
    const float* x = source + n * classes;
    float* y = target + n * classes;
    const float top = row_maximum(x, classes);
    const float sum = row_sum(classes, [&](std::int64_t j) {
      const float e = portable::exp(x[j] - top);
      if (!Log) y[j] = e;
      return e;
    });
    const float log_sum = Log ? portable::log(sum) : 0.0f;
    for (std::int64_t j = threadIdx.x % 32; j < classes; j += 32) y[j] = Log ? (x[j] - top) - log_sum : y[j] / sum;
  }
}

template <bool Log>
__global__ void __launch_bounds__(simple_cuda::block_threads)
    softmax_gradient_rows(std::int64_t batch, std::int64_t classes, const float* __restrict__ answers, const float* __restrict__ gradients,
                          float* __restrict__ target) {
  for (std::int64_t n = first_row(); n < batch; n += row_step()) {
    const float *y = answers + n * classes, *dy = gradients + n * classes;
    const float sum = row_sum(classes, [&](std::int64_t j) { return Log ? dy[j] : y[j] * dy[j]; });
    for (std::int64_t j = threadIdx.x % 32; j < classes; j += 32)
      target[n * classes + j] = Log ? log_softmax_gradient(y[j], dy[j], sum) : softmax_gradient(y[j], dy[j], sum);
  }
}

}  // namespace

Result<SimplePlanParts> cuda_softmax_parts(SimplePlanParts parts, bool backward, bool log) {
  const std::int64_t batch = parts.inputs[0].shape[0], classes = parts.inputs[0].shape[1];
  parts.launch = [=](std::span<const Tensor> in, std::span<const Tensor> out, Region, void* native) -> Status {
    const auto at = [&](std::size_t i) { return static_cast<const float*>(in[i].region.data); };
    auto* target = static_cast<float*>(out[0].region.data);
    const unsigned blocks = blocks_for_rows(batch);
    const cudaStream_t stream = simple_cuda::stream_of(native);
    if (backward && log)
      softmax_gradient_rows<true><<<blocks, simple_cuda::block_threads, 0, stream>>>(batch, classes, at(0), at(1), target);
    else if (backward)
      softmax_gradient_rows<false><<<blocks, simple_cuda::block_threads, 0, stream>>>(batch, classes, at(0), at(1), target);
    else if (log)
      softmax_rows<true><<<blocks, simple_cuda::block_threads, 0, stream>>>(batch, classes, at(0), target);
    else
      softmax_rows<false><<<blocks, simple_cuda::block_threads, 0, stream>>>(batch, classes, at(0), target);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  };
  return parts;
}

}  // namespace detbench::rows
