// Bias gradients on a GPU: sums of chunks as order.hpp has them, and three ways in which they meet. The grid only decides
// who takes which chunk.
#include <algorithm>

#include "kernels/bias_gradient/chunk_sums.hpp"
#include "kernels/bias_gradient/order.hpp"
#include "kernels/contention.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench::bias_gradient {
namespace {

using reduction::channel_lanes;
using reduction::channel_slots;
using reduction::channel_threads;

enum class Meet {
  thread_atomic,  ///< every thread adds its lane: eight atomics a chunk and channel
  block_atomic,   ///< lanes meet in the block's memory first: one atomic a chunk and channel
  store,          ///< a chunk's sum goes to its place in `target`, {chunks, channels}; join_chunks is the second pass
};

/// Blocks take block_work = blockIdx.x, + gridDim.x, ... of chunk_blocks().
template <bool ChannelsLast, class Stored, Meet How>
__global__ void __launch_bounds__(channel_threads)
    sum_chunks(const typename Stored::Word* __restrict__ x, reduction::ChannelMemory memory, float* __restrict__ target) {
  __shared__ float lanes[channel_lanes][channel_slots];
  const int lane = reduction::lane_of_thread<ChannelsLast>(threadIdx.x), slot = reduction::slot_of_thread<ChannelsLast>(threadIdx.x);
  const std::int64_t chunks = chunk_count(memory.pixels), blocks = reduction::chunk_blocks<ChannelsLast>(chunks, memory.channels);
  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const auto work = reduction::slot_work<ChannelsLast>(block, slot, chunks, memory.channels);
    const bool present = work.channel < memory.channels;
    const float sum = present ? lane_sum<ChannelsLast, Stored>(x, memory, work.chunk, work.channel, lane) : 0.0f;
    if constexpr (How == Meet::thread_atomic) {
      if (present) atomicAdd(target + work.channel, sum);
    } else {
      lanes[lane][slot] = sum;
      __syncthreads();
      if (lane == 0 && present) {
        const float total = reduction::fold_channel_lanes(&lanes[0][slot], channel_slots);
        if constexpr (How == Meet::block_atomic)
          atomicAdd(target + work.channel, total);
        else
          target[work.chunk * memory.channels + work.channel] = total;
      }
      __syncthreads();  // the lanes are read before the next round writes them
    }
  }
}

constexpr int join_threads = join_channels * join_runs;

/// Second pass of the fixed order: the tree over the chunks of 8 channels.
__global__ void __launch_bounds__(join_threads)
    join_chunks(const float* __restrict__ partials, std::int64_t chunks, std::int64_t channels, float* __restrict__ diff_bias) {
  __shared__ float roots[join_runs][join_channels];
  const int of_block = threadIdx.x % join_channels, run = threadIdx.x / join_channels;
  const std::int64_t channel = std::int64_t{blockIdx.x} * join_channels + of_block;
  roots[run][of_block] = channel < channels ? join_run(partials + channel, channels, chunks, run) : 0.0f;
  // Runs beyond the last chunk hold absent_value(), which joins like a missing neighbour.
  for (int distance = 1; distance < join_runs; distance *= 2) {
    __syncthreads();
    if (run % (2 * distance) == 0) roots[run][of_block] += roots[run + distance][of_block];
  }
  if (run == 0 && channel < channels) diff_bias[channel] = reduction::canonical_nan(roots[0][of_block]);
}

/// More than ever run at once, and few enough for any launch; bits do not depend on it.
constexpr std::int64_t largest_grid = 1 << 20;

template <bool ChannelsLast, class Stored, Meet How>
Status run(const BiasGradientProblem& p, const void* diff_dst, float* diff_bias, float* partials, cudaStream_t stream) {
  const auto* x = static_cast<const typename Stored::Word*>(diff_dst);
  const reduction::ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const std::int64_t chunks = chunk_count(p.pixels()), blocks = reduction::chunk_blocks<ChannelsLast>(chunks, p.channels);
  const auto grid = static_cast<unsigned>(blocks < largest_grid ? blocks : largest_grid);
  float* target = How == Meet::store ? partials : diff_bias;
  if constexpr (How != Meet::store)
    DETBENCH_CUDA_TRY(cudaMemsetAsync(diff_bias, 0, sizeof(float) * static_cast<std::size_t>(p.channels), stream));
  sum_chunks<ChannelsLast, Stored, How><<<grid, channel_threads, 0, stream>>>(x, memory, target);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  if constexpr (How == Meet::store) {
    const auto joins = static_cast<unsigned>((p.channels + join_channels - 1) / join_channels);
    join_chunks<<<joins, join_threads, 0, stream>>>(target, chunks, p.channels, diff_bias);
    DETBENCH_CUDA_TRY(cudaGetLastError());
  }
  return {};
}

template <Meet How>
Status run_typed(const BiasGradientProblem& p, const void* diff_dst, float* diff_bias, float* partials, cudaStream_t stream) {
  const auto in_layout = [&]<class Stored>(Stored) {
    return p.channels_last ? run<true, Stored, How>(p, diff_dst, diff_bias, partials, stream)
                           : run<false, Stored, How>(p, diff_dst, diff_bias, partials, stream);
  };
  switch (p.types.storage) {
    case DataType::f16: return in_layout(reduction::StoredF16{});
    case DataType::bf16: return in_layout(reduction::StoredBf16{});
    default: return in_layout(reduction::StoredF32{});
  }
}

template <Meet How>
Result<SimplePlanParts> make_cuda_parts(const Problem& problem) {
  const auto p = parse_bias_gradient(problem);
  if (!p) return tl::unexpected(p.error());
  SimplePlanParts parts{{p->diff_dst()}, {p->diff_bias()}, 0, {}, {}};
  parts.alignment_bytes = sizeof(float);
  if (How == Meet::store) parts.workspace_bytes = partial_bytes(p->pixels(), p->channels);
  if (How == Meet::block_atomic) parts.notes = contention_notes(chunk_count(p->pixels()));
  if (How == Meet::thread_atomic) parts.notes = contention_notes(std::min(p->pixels(), chunk_count(p->pixels()) * channel_lanes));
  parts.launch = [p = *p](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* stream) {
    return run_typed<How>(p, in[0].region.data, static_cast<float*>(out[0].region.data), static_cast<float*>(workspace.data),
                          static_cast<cudaStream_t>(stream));
  };
  return parts;
}

template <Meet How>
SimpleAlgorithm algorithm(std::string name) {
  return {std::move(name), {}, true, [](const Problem& problem, Device&) { return make_cuda_parts<How>(problem); }};
}

}  // namespace

MakeParts cuda_fixed_order() { return make_cuda_parts<Meet::store>; }

std::unique_ptr<Provider> make_cuda_provider() {
  return std::make_unique<SimpleProvider>(
      "cuda", DeviceKind::cuda, std::vector{algorithm<Meet::block_atomic>("block_atomic"), algorithm<Meet::thread_atomic>("atomic")});
}

}  // namespace detbench::bias_gradient
