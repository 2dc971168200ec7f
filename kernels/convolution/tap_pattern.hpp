// Which elements the taps of a forward pass or a dgrad meet, as numbers that kernels take by value.
#pragma once

#include <cstdint>

#include "kernels/convolution/problem.hpp"

namespace detbench::fixed_order {

/// Results whose taps have the same pattern: all of a forward pass, or one residue of the strides of a dgrad. Tap t of
/// `tap_columns` * `tap_rows` is filter element filter0 + (t / tap_columns) filter_row + (t % tap_columns) filter_column and
/// reads the input at (i i_step + y0 + (t / tap_columns) y_tap, j j_step + x0 + (t % tap_columns) x_tap).
struct TapPattern {
  std::int64_t rows, columns;                      ///< results i < rows, j < columns of one image ...
  std::int64_t out_y, out_y_step, out_x, out_x_step;  ///< ... lie at (out_y + i out_y_step, out_x + j out_x_step)
  std::int32_t tap_rows, tap_columns;
  std::int32_t filter0, filter_row, filter_column;
  std::int32_t i_step, j_step, y0, y_tap, x0, x_tap;
};

/// The pattern of a forward pass; of a dgrad that of the pixels (y mod sh, x mod sw).
inline TapPattern forward_pattern(const ConvolutionProblem& p) {
  const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  return {p.oh(),       p.ow(),       0,            1,             0,            1,           narrow(p.kh), narrow(p.kw), 0,           narrow(p.kw), 1,
          narrow(p.sh), narrow(p.sw), narrow(-p.pt), narrow(p.dh), narrow(-p.pl), narrow(p.dw)};
}
inline TapPattern dgrad_pattern(const ConvolutionProblem& p, std::int64_t y, std::int64_t x) {
  // Taps r with (y + pt - r dh) a multiple of sh are r0, r0 + step, r0 + 2 step, ...; the quotients fall by dh step / sh.
  struct Axis {
    std::int64_t first = 0, step = 1, count = 0, at = 0, fall = 0;
  };
  const auto axis = [](std::int64_t shift, std::int64_t taps, std::int64_t dilation, std::int64_t stride) {
    Axis axis;
    for (std::int64_t r = 0; r < taps; ++r) {
      if ((shift - r * dilation) % stride != 0) continue;
      if (axis.count == 0) axis.first = r, axis.at = (shift - r * dilation) / stride;
      if (axis.count == 1) axis.step = r - axis.first, axis.fall = axis.at - (shift - r * dilation) / stride;
      ++axis.count;
    }
    return axis;
  };
  const auto v = axis(y + p.pt, p.kh, p.dh, p.sh), h = axis(x + p.pl, p.kw, p.dw, p.sw);
  const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  return {(p.ih - y + p.sh - 1) / p.sh, (p.iw - x + p.sw - 1) / p.sw, y, p.sh, x, p.sw,
          narrow(v.count), narrow(h.count), narrow(v.first * p.kw + h.first), narrow(v.step * p.kw), narrow(h.step),
          1, 1, narrow(v.at), narrow(-v.fall), narrow(h.at), narrow(-h.fall)};
}

}  // namespace detbench::fixed_order
