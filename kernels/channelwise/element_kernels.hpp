// The per-element arithmetic of the GPU's channel-wise kernels and what each thread of a sum's block does; compiled for the
// host too, where a test runs it against the CPU's algorithm.
#pragma once

#include "kernels/channelwise/order.hpp"

namespace detbench::channelwise {

/// dst = src*scale, the scale that of one image: what element_walk.hpp's visit calls a Work.
template <class Stored>
struct ScaleElements {
  using Word = typename Stored::Word;
  const Word *x, *scale;
  Word* y;
  DETBENCH_HOST_DEVICE ScaleElements of_image(std::int64_t n, std::int64_t image, std::int64_t channels) const {
    return {x + n * image, scale + n * channels, y + n * image};
  }
  DETBENCH_HOST_DEVICE float constants(std::int64_t c) const { return Stored::load(scale[c]); }
  DETBENCH_HOST_DEVICE void operator()(float value, std::int64_t at) const { y[at] = Stored::store(Stored::load(x[at]) * value); }
};

/// dst = src + bias.
template <class Stored>
struct AddBias {
  using Word = typename Stored::Word;
  const Word* x;
  const float* bias;
  Word* y;
  DETBENCH_HOST_DEVICE AddBias of_image(std::int64_t n, std::int64_t image, std::int64_t) const { return {x + n * image, bias, y + n * image}; }
  DETBENCH_HOST_DEVICE float constants(std::int64_t c) const { return bias[c]; }
  DETBENCH_HOST_DEVICE void operator()(float value, std::int64_t at) const { y[at] = Stored::store(Stored::load(x[at]) + value); }
};

/// Both answers of scale_channels_bwd in one pass over memory.
template <class Stored>
struct ScaleGradient {
  using Word = typename Stored::Word;
  const Word *x, *scale, *dy;
  Word* dx;
  reduction::ChannelMemory image;  ///< of one image: pixels = plane

  /// What one lane adds up over its pixels of a chunk of one channel of image n; writes its diff_src on the way.
  template <bool ChannelsLast>
  DETBENCH_HOST_DEVICE float lane_sum(std::int64_t n, std::int64_t chunk, std::int64_t channel, int lane) const {
    struct Value {
      float x, dy;
      std::int64_t at;
    };
    const std::int64_t base = n * image.plane * image.channels;
    const float factor = Stored::load(scale[n * image.channels + channel]);
    float sum = 0.0f;
    reduction::for_lane<ChannelsLast>(
        image, chunk * chunk_pixels, chunk_end(chunk, image.plane), channel, lane,
        [&](std::int64_t offset) { return Value{Stored::load(x[base + offset]), Stored::load(dy[base + offset]), base + offset}; },
        [&](const Value& v) {
          sum += v.dy * v.x;
          dx[v.at] = Stored::store(v.dy * factor);
        });
    return sum;
  }
};

/// Blocks of a sum: those of one image, image after image.
template <bool ChannelsLast>
DETBENCH_HOST_DEVICE constexpr std::int64_t image_blocks(std::int64_t plane, std::int64_t channels) {
  return reduction::chunk_blocks<ChannelsLast>(chunk_count(plane), channels);
}

}  // namespace detbench::channelwise
