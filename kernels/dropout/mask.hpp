// Which elements are dropped: integer arithmetic that the host and a GPU share.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench::dropout {

struct Mask {
  std::uint64_t key = 0;
  std::uint32_t threshold = 0;  ///< a word below it drops its element
  float scale = 1;              ///< of what stays
  /// `p` in [0, 1).
  static Mask of(double p, std::uint64_t seed) {
    return {stream_key(seed, "dropout"), static_cast<std::uint32_t>(p * 0x1p32), static_cast<float>(1.0 / (1.0 - p))};
  }
  DETBENCH_HOST_DEVICE float apply(std::uint32_t word, float x) const { return word < threshold ? 0.0f : x * scale; }
};

/// Elements 4 * group .. 4 * group + 3: one Philox call.
struct Apply {
  Mask mask;
  std::int64_t n;
  const float* x;
  float* y;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index group) const {
    const PhiloxWords words = philox4x32(group, 0, 0, mask.key);
    for (int w = 0; w < 4; ++w) {
      const std::int64_t i = static_cast<std::int64_t>(group) * 4 + w;
      if (i < n) y[i] = mask.apply(words.w[w], x[i]);
    }
  }
};

}  // namespace detbench::dropout
