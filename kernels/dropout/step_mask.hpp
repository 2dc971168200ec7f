// Which elements a train step drops, on the host and on a GPU.
#pragma once

#include "kernels/dropout/mask.hpp"
#include "kernels/dropout/step_dropout.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::dropout {

inline Mask mask_of(const StepDropout& dropout) {
  return {stream_key(dropout.seed, dropout.stream), static_cast<std::uint32_t>(dropout.rate * 0x1p32), static_cast<float>(1.0 / (1.0 - dropout.rate))};
}

/// Elements 4 * group .. 4 * group + 3.
template <class Type>
struct ApplyStep {
  Mask mask;
  std::int64_t n;
  const typename Type::Stored* x;
  typename Type::Stored* y;
  const std::int32_t* step;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index group) const {
    const PhiloxWords words = philox4x32(group, static_cast<std::uint32_t>(*step), 0, mask.key);
    for (int w = 0; w < 4; ++w) {
      const std::int64_t i = static_cast<std::int64_t>(group) * 4 + w;
      if (i < n) y[i] = Type::narrow(mask.apply(words.w[w], Type::widen(x[i])));
    }
  }
};

/// A sample's word.
DETBENCH_HOST_DEVICE inline std::uint32_t sample_word(const Mask& mask, std::int64_t sample, std::int32_t step) {
  return philox4x32(static_cast<std::uint64_t>(sample) / 4, static_cast<std::uint32_t>(step), 0, mask.key).w[sample % 4];
}

}  // namespace detbench::dropout
