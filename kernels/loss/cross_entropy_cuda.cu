// Softmax cross-entropy on a GPU: a warp for each row, then the rows' losses in the order of the batch, or by atomics.
#include "kernels/loss/cuda_rows.hpp"
#include "kernels/loss/parts.hpp"

namespace detbench::rows {
namespace {

/// Writes the gradient of each row, and hands its loss to `give(row, loss)`.
template <class Give>
__global__ void __launch_bounds__(simple_cuda::block_threads)
    cross_entropy_rows(std::int64_t batch, std::int64_t classes, const float* __restrict__ logits, const std::int32_t* __restrict__ labels,
                       float* __restrict__ diff, Smoothing smoothing, Give give) {
  const int thread = static_cast<int>(threadIdx.x) % 32;
  for (std::int64_t n = first_row(); n < batch; n += row_step()) {
    const float* x = logits + n * classes;
    float* d = diff + n * classes;
    const std::int32_t label = labels[n];
    const float top = row_maximum(x, classes);
    const float sum = row_sum(classes, [&](std::int64_t j) { return d[j] = portable::exp(x[j] - top); });
    // Each thread reads back what it wrote itself.
    for (std::int64_t j = thread; j < classes; j += 32) d[j] = cross_entropy_gradient(d[j], sum, j == label ? smoothing.on : smoothing.off, static_cast<float>(batch));
    const float shifted = smoothing.exists ? row_sum(classes, [&](std::int64_t j) { return x[j] - top; }) : 0.0f;
    if (thread != 0) continue;
    if (label < 0 || label >= classes)
      give(n, no_loss());
    else
      give(n, smoothing.exists ? smoothed_loss(smoothing, sum, x[label], top, shifted) : cross_entropy_loss(sum, x[label], top));
  }
}

struct KeepRow {
  float* rows;
  __device__ void operator()(std::int64_t n, float loss) const { rows[n] = loss; }
};
struct AddRow {
  float* loss;
  float batch;
  __device__ void operator()(std::int64_t, float row) const { atomicAdd(loss, row / batch); }
};

/// One warp: the rows' losses in the order of the batch, 32 fetched at a time.
__global__ void mean_of_rows(std::int64_t batch, const float* __restrict__ rows, float* loss) {
  const int thread = static_cast<int>(threadIdx.x);
  float total = 0;
  for (std::int64_t base = 0; base < batch; base += 32) {
    const float own = base + thread < batch ? rows[base + thread] : 0.0f;
    for (int k = 0; k < 32; ++k) {
      const float value = __shfl_sync(full_warp, own, k);
      if (base + k < batch) total += value;
    }
  }
  if (thread == 0) *loss = total / static_cast<float>(batch);
}

template <class Give>
Status enqueue_rows(std::int64_t batch, std::int64_t classes, std::span<const Tensor> in, std::span<const Tensor> out, const Smoothing& smoothing,
                    void* stream, Give give) {
  cross_entropy_rows<<<blocks_for_rows(batch), simple_cuda::block_threads, 0, simple_cuda::stream_of(stream)>>>(
      batch, classes, static_cast<const float*>(in[0].region.data), static_cast<const std::int32_t*>(in[1].region.data),
      static_cast<float*>(out[1].region.data), smoothing, give);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace

Result<SimplePlanParts> cuda_cross_entropy_parts(SimplePlanParts parts, const Smoothing& smoothing, bool atomic) {
  const std::int64_t batch = parts.inputs[0].shape[0], classes = parts.inputs[0].shape[1];
  if (atomic)
    parts.launch = [batch, classes, smoothing](auto in, auto out, Region, void* stream) -> Status {
      auto* loss = static_cast<float*>(out[0].region.data);
      if (auto s = simple_cuda::enqueue_zero(loss, sizeof(float), stream); !s) return s;
      return enqueue_rows(batch, classes, in, out, smoothing, stream, AddRow{loss, static_cast<float>(batch)});
    };
  else {
    parts.workspace_bytes = sizeof(float) * static_cast<std::size_t>(batch);
    parts.launch = [batch, classes, smoothing](auto in, auto out, Region workspace, void* stream) -> Status {
      auto* rows = static_cast<float*>(workspace.data);
      if (auto s = enqueue_rows(batch, classes, in, out, smoothing, stream, KeepRow{rows}); !s) return s;
      mean_of_rows<<<1, 32, 0, simple_cuda::stream_of(stream)>>>(batch, rows, static_cast<float*>(out[0].region.data));
      DETBENCH_CUDA_TRY(cudaGetLastError());
      return {};
    };
  }
  return parts;
}

}  // namespace detbench::rows
