// Convolutions of the sizes that networks have: every kind of layer of MobileNetV2 0.35 at 96 pixels, batch 8, and what
// other networks add (5x5 depthwise layers, wide pointwise ones, dense 3x3), with odd sizes, dilation and groups.
#pragma once

#include <vector>

#include "kernels/convolution/problem.hpp"

namespace detbench::testing {

inline std::vector<ConvolutionProblem> layer_shapes() {
  const auto pointwise = [](std::int64_t mb, std::int64_t ic, std::int64_t size, std::int64_t oc) {
    ConvolutionProblem p;
    p.mb = mb, p.ic = ic, p.oc = oc, p.ih = p.iw = size;
    return p;
  };
  const auto spatial = [](std::int64_t mb, std::int64_t g, std::int64_t ic, std::int64_t size, std::int64_t oc, std::int64_t k, std::int64_t stride,
                          std::int64_t before, std::int64_t after, std::int64_t dilation = 1) {
    ConvolutionProblem p;
    p.mb = mb, p.g = g, p.ic = ic, p.oc = oc, p.ih = p.iw = size, p.kh = p.kw = k, p.sh = p.sw = stride;
    p.pt = p.pl = before, p.pb = p.pr = after, p.dh = p.dw = dilation;
    return p;
  };
  return {
      spatial(8, 1, 3, 96, 16, 3, 2, 0, 1),      // the stem
      spatial(8, 16, 16, 48, 16, 3, 1, 1, 1),    // depthwise, every size of MobileNetV2 0.35
      spatial(8, 48, 48, 48, 48, 3, 2, 0, 1),
      spatial(8, 48, 48, 24, 48, 3, 1, 1, 1),
      spatial(8, 96, 96, 12, 96, 3, 2, 0, 1),
      spatial(8, 192, 192, 6, 192, 3, 1, 1, 1),
      spatial(8, 336, 336, 3, 336, 3, 1, 1, 1),
      pointwise(8, 16, 48, 8),                   // projections and expansions
      pointwise(8, 8, 48, 48),
      pointwise(8, 48, 24, 8),
      pointwise(8, 16, 12, 96),
      pointwise(8, 96, 6, 24),
      pointwise(8, 192, 3, 56),
      pointwise(8, 112, 3, 1280),                // the last one
      spatial(4, 40, 40, 28, 40, 5, 2, 1, 2),    // EfficientNet's 5x5
      spatial(4, 240, 240, 14, 240, 5, 1, 2, 2),
      spatial(2, 1152, 1152, 7, 1152, 5, 1, 2, 2),
      pointwise(8, 480, 1, 20),                  // squeeze-and-excite
      pointwise(8, 160, 14, 200),
      spatial(4, 1, 64, 28, 64, 3, 1, 1, 1),     // dense 3x3
      spatial(2, 1, 37, 29, 131, 3, 2, 0, 1),    // tails in everything
      spatial(2, 37, 37, 31, 37, 3, 2, 0, 1),
      spatial(3, 20, 20, 23, 20, 3, 1, 2, 2, 2), // dilation
      spatial(2, 4, 64, 17, 96, 3, 1, 1, 1),     // groups
  };
}

}  // namespace detbench::testing
