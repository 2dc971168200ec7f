// Sums over all pixels of each channel of an activation (bias gradients, batch norm): which thread adds which element,
// in one place for CPU and CUDA. The order is written on logical pixels alone, so layout, threads, grid and instruction
// set cannot reach it (METHOD section 10):
//
//   1. The pixels are numbered n, h, w and cut into chunks; the user of this file says how large.
//   2. Pixel p of a chunk (counted from the chunk's first) adds to virtual lane p % 8, in ascending order. Eight lanes
//      are eight independent additions on a CPU, and 32 bytes of a plane of f32: what a GPU reads at least.
//   3. The lanes of a chunk meet in one tree: ((0+4)+(2+6)) + ((1+5)+(3+7)).
//
// How chunks meet is the user's: in order (batch norm) or in a tree (bias gradients).
#pragma once

#include <cstdint>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

inline constexpr int channel_lanes = 8;

/// Step 3 on lanes that lie `stride` apart.
DETBENCH_HOST_DEVICE inline float fold_channel_lanes(const float* lanes, std::int64_t stride) {
  const auto lane = [&](int l) { return lanes[l * stride]; };
  return ((lane(0) + lane(4)) + (lane(2) + lane(6))) + ((lane(1) + lane(5)) + (lane(3) + lane(7)));
}

/// How elements are stored; sums are f32 whatever the storage, and widening is exact.
struct StoredF32 {
  using Word = float;
  DETBENCH_HOST_DEVICE static float load(Word word) { return word; }
  DETBENCH_HOST_DEVICE static Word store(float value) { return value; }
};
struct StoredF16 {
  using Word = std::uint16_t;
  DETBENCH_HOST_DEVICE static float load(Word word) { return float_from_f16(word); }
  DETBENCH_HOST_DEVICE static Word store(float value) { return f16_from_float(value); }
};
struct StoredBf16 {
  using Word = std::uint16_t;
  DETBENCH_HOST_DEVICE static float load(Word word) { return float_from_bf16(word); }
  DETBENCH_HOST_DEVICE static Word store(float value) { return bf16_from_float(value); }
};

/// Where the elements of an activation lie: channels last (nhwc), or each channel of an image in one plane (nchw).
struct ChannelMemory {
  std::int64_t pixels = 1;    ///< N*H*W
  std::int64_t plane = 1;     ///< H*W
  std::int64_t channels = 1;

  template <bool ChannelsLast>
  DETBENCH_HOST_DEVICE constexpr std::int64_t offset(std::int64_t pixel, std::int64_t channel) const {
    if constexpr (ChannelsLast) return pixel * channels + channel;
    return (pixel / plane * channels + channel) * plane + pixel % plane;
  }
};

/// The offsets of every eighth pixel of one channel, without a division per step.
template <bool ChannelsLast>
class LaneWalk {
 public:
  DETBENCH_HOST_DEVICE LaneWalk(const ChannelMemory& memory, std::int64_t pixel, std::int64_t channel)
      : memory_(memory), offset_(memory.offset<ChannelsLast>(pixel, channel)), inside_(ChannelsLast ? 0 : pixel % memory.plane) {}
  DETBENCH_HOST_DEVICE std::int64_t offset() const { return offset_; }
  DETBENCH_HOST_DEVICE void step() {
    if constexpr (ChannelsLast) {
      offset_ += channel_lanes * memory_.channels;
    } else {
      offset_ += channel_lanes;
      for (inside_ += channel_lanes; inside_ >= memory_.plane; inside_ -= memory_.plane)
        offset_ += (memory_.channels - 1) * memory_.plane;  // over the planes of the other channels
    }
  }

 private:
  ChannelMemory memory_;
  std::int64_t offset_, inside_;
};

/// Step 2 for one lane of the chunk [first, last) of one channel: add(load(offset)) for its pixels in order.
template <bool ChannelsLast, class Load, class Add>
DETBENCH_HOST_DEVICE inline void for_lane(const ChannelMemory& memory, std::int64_t first, std::int64_t last, std::int64_t channel,
                                          int lane, Load&& load, Add&& add) {
  std::int64_t pixel = first + lane;
  if (pixel >= last) return;
  LaneWalk<ChannelsLast> walk(memory, pixel, channel);
  // A GPU issues the loads of a batch together, before the additions, which keep their order.
  constexpr int batch = 8;
  for (; pixel + (batch - 1) * channel_lanes < last; pixel += batch * channel_lanes) {
    decltype(load(std::int64_t{})) values[batch];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < batch; ++i, walk.step()) values[i] = load(walk.offset());
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int i = 0; i < batch; ++i) add(values[i]);
  }
  for (; pixel < last; pixel += channel_lanes, walk.step()) add(load(walk.offset()));
}

/// CUDA's share: a block of 256 threads works on 32 slots, each a chunk of one channel, with 8 threads a slot. Channels
/// last: the slots are neighbouring channels, so that a warp reads one row; planes: neighbouring chunks of one channel,
/// and a slot's threads are neighbours.
inline constexpr int channel_slots = 32;
inline constexpr int channel_threads = channel_lanes * channel_slots;

template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr int lane_of_thread(int thread) {
  return ChannelsLast ? thread / channel_slots : thread % channel_lanes;
}
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr int slot_of_thread(int thread) {
  return ChannelsLast ? thread % channel_slots : thread / channel_lanes;
}

DETBENCH_HOST_DEVICE constexpr std::int64_t channel_groups(std::int64_t channels) {
  return (channels + channel_slots - 1) / channel_slots;
}

/// Blocks that cover every chunk of every channel once.
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr std::int64_t chunk_blocks(std::int64_t chunks, std::int64_t channels) {
  return ChannelsLast ? chunks * channel_groups(channels) : (chunks * channels + channel_slots - 1) / channel_slots;
}

struct SlotWork {
  std::int64_t chunk = 0, channel = 0;  ///< nothing to do where channel >= channels
};
/// What a slot of a block works on.
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr SlotWork slot_work(std::int64_t block, int slot, std::int64_t chunks, std::int64_t channels) {
  if constexpr (ChannelsLast) return {block / channel_groups(channels), block % channel_groups(channels) * channel_slots + slot};
  const std::int64_t pair = block * channel_slots + slot;
  return {pair % chunks, pair / chunks};
}

}  // namespace detbench::reduction
