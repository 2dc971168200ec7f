// The order of additions of the algorithm `fixed_order`, on CPU and CUDA alike: chunks of 256 pixels, summed as
// kernels/reduction/channel_chunks.hpp has it, meet in the binary tree that joins neighbours, level by level; a node
// without a right neighbour goes up unchanged (kernels/reduction/fixed_tree.hpp). Missing pixels count as -0.0.
#pragma once

#include <cstddef>

#include "kernels/reduction/channel_chunks.hpp"
#include "kernels/reduction/fixed_tree.hpp"

namespace detbench::bias_gradient {

/// 32 elements a lane: long enough that partial sums are a hundredth of the traffic, short enough that the smallest
/// layers of a network still fill a GPU.
inline constexpr std::int64_t chunk_pixels = 256;

DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_count(std::int64_t pixels) { return (pixels + chunk_pixels - 1) / chunk_pixels; }
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_end(std::int64_t chunk, std::int64_t pixels) {
  return (chunk + 1) * chunk_pixels < pixels ? (chunk + 1) * chunk_pixels : pixels;
}

/// Memory for the partial sums of every chunk and channel, {chunks, channels}.
inline std::size_t partial_bytes(std::int64_t pixels, std::int64_t channels) {
  return sizeof(float) * static_cast<std::size_t>(chunk_count(pixels) * channels);
}

/// One lane of one chunk of one channel.
template <bool ChannelsLast, class Stored>
DETBENCH_HOST_DEVICE inline float lane_sum(const typename Stored::Word* x, const reduction::ChannelMemory& memory, std::int64_t chunk,
                                           std::int64_t channel, int lane) {
  float sum = reduction::absent_value<float>();
  reduction::for_lane<ChannelsLast>(
      memory, chunk * chunk_pixels, chunk_end(chunk, memory.pixels), channel, lane,
      [&](std::int64_t offset) { return Stored::load(x[offset]); }, [&](float value) { sum += value; });
  return sum;
}

/// CUDA joins the chunks of 8 channels in one block, with 128 threads a channel. Thread r of a channel joins the aligned
/// run of this many chunks, a power of two, so that its root is a node of the tree; then the roots meet.
inline constexpr int join_channels = 8;
inline constexpr int join_runs = 128;
DETBENCH_HOST_DEVICE constexpr std::int64_t run_length(std::int64_t chunks) {
  std::int64_t length = 1;
  while (length * join_runs < chunks) length *= 2;
  return length;
}

/// The root of run `run`; partial sums of one channel lie `stride` apart. absent_value() beyond the last chunk.
DETBENCH_HOST_DEVICE inline float join_run(const float* partials, std::int64_t stride, std::int64_t chunks, int run) {
  const std::int64_t length = run_length(chunks), first = run * length;
  const std::int64_t last = first + length < chunks ? first + length : chunks;
  if (first >= last) return reduction::absent_value<float>();
  reduction::PairJoiner<float> joiner;
  for (std::int64_t chunk = first; chunk < last; ++chunk) joiner.add(partials[chunk * stride]);
  return joiner.root();
}

}  // namespace detbench::bias_gradient
