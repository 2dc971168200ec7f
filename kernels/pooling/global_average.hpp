// Global average pooling: its geometry, and the arithmetic that a GPU shares with the host. Pixel p of an image adds to
// lane p % 8, the lanes meet in a fixed tree, the sum is divided once: the same order for every layout and any number of
// threads.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/op.hpp"
#include "kernels/search.hpp"
#include "kernels/simple_operation.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::pooling {

inline constexpr int average_lanes = 8;

struct GlobalAverage {
  std::int64_t images = 1, height = 1, width = 1, channels = 1, block = 0;  ///< block 0: channels last
  DETBENCH_HOST_DEVICE std::int64_t plane() const { return height * width; }
  /// Channels that lie side by side in memory, and how many such rows an image has; planes count as blocks of one.
  DETBENCH_HOST_DEVICE std::int64_t row() const { return block == 0 ? channels : block; }
  DETBENCH_HOST_DEVICE std::int64_t rows() const { return (channels + row() - 1) / row(); }
  DETBENCH_HOST_DEVICE std::int64_t offset(std::int64_t image, std::int64_t channel, std::int64_t pixel) const {
    return ((image * rows() + channel / row()) * plane() + pixel) * row() + channel % row();
  }
};

/// Pixels first, first + 8, ... below `end` of one channel.
DETBENCH_HOST_DEVICE inline float lane_sum(const GlobalAverage& g, const float* x, std::int64_t image, std::int64_t channel, std::int64_t first,
                                           std::int64_t end) {
  float sum = 0;
  const float* pixel = x + g.offset(image, channel, 0);
  for (std::int64_t p = first; p < end; p += average_lanes) sum += pixel[p * g.row()];
  return sum;
}

/// s[0], s[stride], ...: eight sums.
DETBENCH_HOST_DEVICE inline float join_lanes(const float* s, int stride) {
  return ((s[0] + s[4 * stride]) + (s[2 * stride] + s[6 * stride])) + ((s[stride] + s[5 * stride]) + (s[3 * stride] + s[7 * stride]));
}

/// Element i of diff_src in the order of memory; padding channels become zero.
struct GlobalAverageBackward {
  GlobalAverage g;
  const float* dy;
  float* dx;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const auto row = static_cast<Index>(g.row());
    const std::int64_t in_row = i % row, task = i / row / static_cast<Index>(g.plane());
    const std::int64_t image = task / g.rows(), channel = task % g.rows() * g.row() + in_row;
    dx[i] = channel < g.channels ? dy[image * g.channels + channel] / static_cast<float>(g.plane()) : 0.0f;
  }
};

/// `parts` come with inputs and outputs.
Result<SimplePlanParts> cuda_global_average_parts(const GlobalAverage& g, bool backward, SimplePlanParts parts);
/// Forward alone: blocks sum their pixels in fixed order and add the sums by atomics.
Result<SimplePlanParts> cuda_atomic_global_average_parts(const GlobalAverage& g, SimplePlanParts parts);
/// The pixels that one block of the atomic form takes: at least 16, and at most 64 blocks meet in one sum.
std::int64_t pixels_per_block(std::int64_t plane);

/// Inputs and outputs of a problem, for providers that bring the rest.
using GlobalAverageSpecs = std::function<Result<SimplePlanParts>(const Problem&)>;
std::unique_ptr<Provider> make_cudnn_legacy_global_average_provider(bool backward, GlobalAverageSpecs specs);
std::unique_ptr<Provider> make_cudnn_graph_global_average_provider(bool backward, GlobalAverageSpecs specs, const AlgorithmSearch& search);

}  // namespace detbench::pooling
