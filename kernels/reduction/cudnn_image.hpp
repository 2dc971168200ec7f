// A vector as cuDNN's reductions are given it: they know tensors of four dimensions and no vectors. Which dimensions it gets may
// change the kernel that answers, so they are a function of the length alone.
#pragma once

#include <cstdint>

#include "kernels/tensor/tensor.hpp"

namespace detbench::reduction {

/// w of {1, 1, n / w, w}: the largest power of two that divides n, up to 4096.
constexpr std::int64_t image_width(std::int64_t n) {
  std::int64_t w = 1;
  while (w < 4096 && n % (2 * w) == 0) w *= 2;
  return w;
}
/// An image of one channel in N,H,W,C order.
inline TensorSpec image_spec(const char* role, DataType type, std::int64_t n) {
  const Shape shape{1, n / image_width(n), image_width(n), 1};
  return {role, type, shape, canonical_layout(shape)};
}

}  // namespace detbench::reduction
