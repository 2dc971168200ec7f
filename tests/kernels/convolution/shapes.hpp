// Small convolutions that meet every case: pads on one side, strides, odd sizes, groups, dilation, channel tails.
#pragma once

#include <vector>

#include "kernels/convolution/problem.hpp"

namespace detbench::testing {

inline std::vector<ConvolutionProblem> small_shapes() {
  const auto make = [](std::int64_t mb, std::int64_t g, std::int64_t ic, std::int64_t ih, std::int64_t iw, std::int64_t oc,
                       std::int64_t kh, std::int64_t kw, std::int64_t s, std::int64_t pt, std::int64_t pb, std::int64_t pl,
                       std::int64_t pr, std::int64_t d = 1) {
    ConvolutionProblem p;
    p.mb = mb, p.g = g, p.ic = ic, p.ih = ih, p.iw = iw, p.oc = oc, p.kh = kh, p.kw = kw, p.sh = p.sw = s;
    p.pt = pt, p.pb = pb, p.pl = pl, p.pr = pr, p.dh = p.dw = d;
    return p;
  };
  return {
      make(2, 1, 3, 17, 15, 32, 3, 3, 2, 0, 1, 0, 1),    // a stem: pads on one side, odd sizes
      make(2, 1, 16, 7, 9, 24, 1, 1, 1, 0, 0, 0, 0),     // pointwise
      make(3, 1, 40, 5, 5, 70, 1, 1, 1, 0, 0, 0, 0),     // pointwise with tails in both channels
      make(2, 1, 33, 6, 6, 17, 3, 3, 1, 1, 1, 1, 1),     // dense 3x3 with tails
      make(2, 32, 32, 10, 9, 32, 3, 3, 1, 1, 1, 1, 1),   // depthwise
      make(2, 24, 24, 13, 12, 24, 5, 5, 2, 1, 2, 2, 1),  // depthwise 5x5, stride 2, uneven pads, a channel tail
      make(1, 4, 16, 8, 8, 24, 3, 3, 1, 0, 2, 1, 0),     // grouped
      make(2, 8, 8, 9, 9, 16, 3, 3, 2, 1, 1, 1, 1),      // depth multiplier 2
      make(2, 1, 8, 11, 12, 12, 3, 3, 1, 2, 2, 2, 2, 2), // dilation
      make(2, 6, 6, 11, 12, 6, 3, 2, 3, 1, 0, 0, 1, 2),  // depthwise, dilation, stride 3, not square
      make(4, 1, 20, 1, 1, 9, 1, 1, 1, 0, 0, 0, 0),      // squeeze-and-excite: one pixel
      make(1, 1, 16, 8, 8, 20, 1, 1, 2, 0, 0, 0, 0),     // strided pointwise: dgrad leaves pixels that nothing reads
  };
}

/// A depthwise layer of stride 2 padded below and to the right alone, on an even image: the last row is read, so that no equal
/// pads give the same sums and zeros have to be added by hand.
inline ConvolutionProblem padded_by_hand() {
  ConvolutionProblem p;
  p.mb = 2, p.g = p.ic = p.oc = 24, p.ih = 12, p.iw = 14, p.kh = p.kw = 3, p.sh = p.sw = 2, p.pb = p.pr = 1;
  return p;
}

}  // namespace detbench::testing
