// Element-wise work over an activation on a GPU (element_walk.hpp says who visits what). Included by .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include "kernels/device/cuda_check.hpp"
#include "kernels/normalization/element_walk.hpp"

namespace detbench::normalization {

inline constexpr int element_threads = 256;

template <bool ChannelsLast, class Work>
__global__ void __launch_bounds__(element_threads) visit_elements(reduction::ChannelMemory memory, Work work) {
  visit_for_thread<ChannelsLast>(memory, (std::int64_t{blockIdx.x} * element_threads + threadIdx.x) / 32, std::int64_t{gridDim.x} * element_threads / 32,
                                 threadIdx.x % 32, work);
}

/// The grid: 16 blocks for each multiprocessor of the largest GPUs, and as many warps as the walk needs. No bit depends on
/// it, elements do not meet.
template <bool ChannelsLast, class Work>
Status enqueue_elements(const reduction::ChannelMemory& memory, const Work& work, cudaStream_t stream) {
  constexpr std::int64_t warps_per_block = element_threads / 32, most = 132 * 16;
  const auto blocks_for = [](std::int64_t warps) { return (warps + warps_per_block - 1) / warps_per_block; };
  std::int64_t blocks = blocks_for(element_tasks<ChannelsLast>(memory));
  if (blocks > most) blocks = most;
  if (blocks < blocks_for(fewest_warps<ChannelsLast>(memory))) blocks = blocks_for(fewest_warps<ChannelsLast>(memory));
  visit_elements<ChannelsLast><<<static_cast<unsigned>(blocks), element_threads, 0, stream>>>(memory, work);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench::normalization
