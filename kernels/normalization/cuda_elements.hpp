// Element-wise work over an activation on a GPU: every element once, its channel's constants fetched once per run.
// Included by .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include "kernels/device/cuda_check.hpp"
#include "kernels/reduction/channel_chunks.hpp"

namespace detbench::normalization {

inline constexpr int element_threads = 256;
/// Pixels of a plane that one warp walks.
inline constexpr std::int64_t plane_piece = 1024;

/// `Work` has `Constants constants(channel)` and `void operator()(constants, offset)`. Channels last: a warp takes 32
/// neighbouring channels of one pixel after another; planes: a warp takes a piece of a plane. No division per element.
template <bool ChannelsLast, class Work>
__global__ void __launch_bounds__(element_threads) visit_elements(reduction::ChannelMemory memory, Work work) {
  const int in_warp = threadIdx.x % 32;
  const std::int64_t warp = (std::int64_t{blockIdx.x} * element_threads + threadIdx.x) / 32;
  const std::int64_t warps = std::int64_t{gridDim.x} * element_threads / 32;
  if constexpr (ChannelsLast) {
    const std::int64_t groups = reduction::channel_groups(memory.channels), rows = warps / groups;
    if (warp >= rows * groups) return;  // every group gets as many warps as the others
    const std::int64_t channel = warp % groups * reduction::channel_slots + in_warp;
    if (channel >= memory.channels) return;
    const auto constants = work.constants(channel);
#pragma unroll 4
    for (std::int64_t pixel = warp / groups; pixel < memory.pixels; pixel += rows)
      work(constants, pixel * memory.channels + channel);
  } else {
    const std::int64_t pieces = (memory.plane + plane_piece - 1) / plane_piece;
    const std::int64_t tasks = memory.pixels / memory.plane * memory.channels * pieces;
    for (std::int64_t task = warp; task < tasks; task += warps) {
      const std::int64_t plane = task / pieces, first = task % pieces * plane_piece;
      const std::int64_t last = first + plane_piece < memory.plane ? first + plane_piece : memory.plane;
      const auto constants = work.constants(plane % memory.channels);
#pragma unroll 4
      for (std::int64_t at = first + in_warp; at < last; at += 32) work(constants, plane * memory.plane + at);
    }
  }
}

/// The grid: 16 blocks for each multiprocessor of the largest GPUs, and at least one warp per group of channels. No bit
/// depends on it, elements do not meet.
template <bool ChannelsLast, class Work>
Status enqueue_elements(const reduction::ChannelMemory& memory, const Work& work, cudaStream_t stream) {
  constexpr std::int64_t warps_per_block = element_threads / 32, most = 132 * 16;
  const std::int64_t tasks = ChannelsLast ? memory.pixels * reduction::channel_groups(memory.channels)
                                          : memory.pixels / memory.plane * memory.channels * ((memory.plane + plane_piece - 1) / plane_piece);
  const std::int64_t least = ChannelsLast ? (reduction::channel_groups(memory.channels) + warps_per_block - 1) / warps_per_block : 1;
  std::int64_t blocks = (tasks + warps_per_block - 1) / warps_per_block;
  if (blocks > most) blocks = most;
  if (blocks < least) blocks = least;
  visit_elements<ChannelsLast><<<static_cast<unsigned>(blocks), element_threads, 0, stream>>>(memory, work);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench::normalization
