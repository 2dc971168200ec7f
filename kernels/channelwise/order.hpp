// The order of the sums of scale_channels_bwd, one place for CPU and CUDA. Per image and channel: the image's pixels, numbered
// h, w, are cut into chunks of 512; pixel p of a chunk adds its product diff_dst*src to lane p % 8, in ascending order; the
// lanes meet in the tree ((0+4)+(2+6)) + ((1+5)+(3+7)) (kernels/reduction/channel_chunks.hpp); chunks are added in ascending
// order, the first one being what the others are added to. Each product is rounded before it is added, and no sum depends on
// other images: batch, threads, layout, grid and instruction set cannot reach it.
#pragma once

#include "kernels/reduction/channel_chunks.hpp"

namespace detbench::channelwise {

using reduction::channel_lanes;

/// 64 pixels a lane: a GPU has 8 threads for 512 pixels of a channel, and adding chunks stays cheap.
inline constexpr std::int64_t chunk_pixels = 512;
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_count(std::int64_t plane) { return (plane + chunk_pixels - 1) / chunk_pixels; }
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_end(std::int64_t chunk, std::int64_t plane) {
  return (chunk + 1) * chunk_pixels < plane ? (chunk + 1) * chunk_pixels : plane;
}

/// partial(k) reads chunk k's sum.
template <class Partial>
DETBENCH_HOST_DEVICE inline float meet_chunks(std::int64_t chunks, Partial&& partial) {
  float sum = partial(std::int64_t{0});
  for (std::int64_t k = 1; k < chunks; ++k) sum += partial(k);
  return sum;
}

}  // namespace detbench::channelwise
