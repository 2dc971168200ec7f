// Which thread of a GPU visits which element in element-wise work over an activation; compiled for the host too, where a test
// counts the visits.
#pragma once

#include "kernels/reduction/channel_chunks.hpp"

namespace detbench::normalization {

/// Pixels of a plane that one warp walks.
inline constexpr std::int64_t plane_piece = 1024;
DETBENCH_HOST_DEVICE constexpr std::int64_t plane_pieces(const reduction::ChannelMemory& memory) { return (memory.plane + plane_piece - 1) / plane_piece; }

/// Warp-sized pieces of work; a warp can take several.
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr std::int64_t element_tasks(const reduction::ChannelMemory& memory) {
  return ChannelsLast ? memory.pixels * reduction::channel_groups(memory.channels) : memory.pixels / memory.plane * memory.channels * plane_pieces(memory);
}
/// Warps that there must be at least, so that every element is visited.
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr std::int64_t fewest_warps(const reduction::ChannelMemory& memory) {
  return ChannelsLast ? reduction::channel_groups(memory.channels) : 1;
}

/// What lane `in_warp` of warp `warp` of `warps` visits. `Work` has `Constants constants(channel)` and
/// `void operator()(constants, offset)`. Channels last: a warp takes 32 neighbouring channels of one pixel after another;
/// planes: a warp takes a piece of a plane. A channel's constants are fetched once per run, and no element costs a division.
template <bool ChannelsLast, class Work>
DETBENCH_HOST_DEVICE inline void visit_for_thread(const reduction::ChannelMemory& memory, std::int64_t warp, std::int64_t warps, int in_warp, const Work& work) {
  if constexpr (ChannelsLast) {
    const std::int64_t groups = reduction::channel_groups(memory.channels), rows = warps / groups;
    if (warp >= rows * groups) return;  // every group gets as many warps as the others
    const std::int64_t channel = warp % groups * reduction::channel_slots + in_warp;
    if (channel >= memory.channels) return;
    const auto constants = work.constants(channel);
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
    for (std::int64_t pixel = warp / groups; pixel < memory.pixels; pixel += rows) work(constants, pixel * memory.channels + channel);
  } else {
    const std::int64_t pieces = plane_pieces(memory), tasks = element_tasks<ChannelsLast>(memory);
    for (std::int64_t task = warp; task < tasks; task += warps) {
      const std::int64_t plane = task / pieces, first = task % pieces * plane_piece;
      const std::int64_t last = first + plane_piece < memory.plane ? first + plane_piece : memory.plane;
      const auto constants = work.constants(plane % memory.channels);
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
      for (std::int64_t at = first + in_warp; at < last; at += 32) work(constants, plane * memory.plane + at);
    }
  }
}
static_assert(reduction::channel_slots == 32, "channels last: a warp is one group of channels");

}  // namespace detbench::normalization
