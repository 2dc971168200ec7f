// Global average pooling on a GPU. A block has 256 threads: eight lanes for each of 32 channels, which read neighbouring
// memory: channels first where they lie side by side, pixels first in planes.
#include "kernels/pooling/global_average.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::pooling {
namespace {

constexpr int block_channels = simple_cuda::block_threads / average_lanes;

/// Each block joins the lanes of its channels over pixels [part * pixels, ...). One part and Store: the mean itself. More
/// parts and Add: shares of the mean, which meet in any order.
template <bool PixelsFirst, class Write>
__global__ void __launch_bounds__(simple_cuda::block_threads)
    average_lanes_of(GlobalAverage g, std::int64_t parts, std::int64_t pixels, const float* __restrict__ x, float* __restrict__ y, Write write) {
  __shared__ float sums[average_lanes][block_channels + 1];  // one more, so that lanes lie in different banks
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = PixelsFirst ? thread % average_lanes : thread / block_channels;
  const int slot = PixelsFirst ? thread / average_lanes : thread % block_channels;
  const std::int64_t groups = (g.channels + block_channels - 1) / block_channels, tasks = g.images * groups * parts;
  for (std::int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const std::int64_t part = task % parts, image = task / parts / groups, first_channel = task / parts % groups * block_channels;
    const std::int64_t start = part * pixels, end = start + pixels < g.plane() ? start + pixels : g.plane();
    const std::int64_t channel = first_channel + slot;
    sums[lane][slot] = channel < g.channels ? lane_sum(g, x, image, channel, start + lane, end) : 0.0f;
    __syncthreads();
    if (threadIdx.x < block_channels && first_channel + threadIdx.x < g.channels)
      write(y + image * g.channels + first_channel + threadIdx.x, join_lanes(&sums[0][threadIdx.x], block_channels + 1) / static_cast<float>(g.plane()));
    __syncthreads();
  }
}

struct Store {
  __device__ void operator()(float* target, float value) const { *target = value; }
};

template <class Write>
Status enqueue_average(const GlobalAverage& g, std::int64_t pixels, const Tensor& in, const Tensor& out, void* stream, Write write) {
  const std::int64_t parts = (g.plane() + pixels - 1) / pixels;
  const std::int64_t tasks = g.images * ((g.channels + block_channels - 1) / block_channels) * parts;
  const auto* x = static_cast<const float*>(in.region.data);
  auto* y = static_cast<float*>(out.region.data);
  const unsigned blocks = simple_cuda::blocks_for(tasks, 1);
  if (g.row() < average_lanes)
    average_lanes_of<true><<<blocks, simple_cuda::block_threads, 0, simple_cuda::stream_of(stream)>>>(g, parts, pixels, x, y, write);
  else
    average_lanes_of<false><<<blocks, simple_cuda::block_threads, 0, simple_cuda::stream_of(stream)>>>(g, parts, pixels, x, y, write);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace

Result<SimplePlanParts> cuda_global_average_parts(const GlobalAverage& g, bool backward, SimplePlanParts parts) {
  if (backward)
    parts.launch = [g](auto in, auto out, Region, void* stream) {
      auto* dx = static_cast<float*>(out[0].region.data);
      return simple_cuda::enqueue_for_each(g.images * g.rows() * g.plane() * g.row(), GlobalAverageBackward{g, static_cast<const float*>(in[0].region.data), dx}, stream);
    };
  else
    parts.launch = [g](auto in, auto out, Region, void* stream) { return enqueue_average(g, g.plane(), in[0], out[0], stream, Store{}); };
  return parts;
}

Result<SimplePlanParts> cuda_atomic_global_average_parts(const GlobalAverage& g, SimplePlanParts parts) {
  parts.launch = [g](auto in, auto out, Region, void* stream) -> Status {
    if (auto s = simple_cuda::enqueue_zero(out[0].region.data, out[0].spec.bytes(), stream); !s) return s;
    return enqueue_average(g, pixels_per_block(g.plane()), in[0], out[0], stream, simple_cuda::AtomicAdd{});
  };
  return parts;
}

}  // namespace detbench::pooling
