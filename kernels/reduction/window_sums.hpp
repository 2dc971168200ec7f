// The sums of one window (window.hpp), vectorized.
#pragma once

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/window.hpp"

namespace detbench::reduction {

/// Exact partial sums of window_elements summands; `lost` is that of what f64 products lost, zero for other sources.
struct WindowSum {
  SlicedSum rounded, lost;
};
/// No window has been seen yet.
inline constexpr int no_top = -1 << 20;
/// The sums are only there where window_fit(range) is not `none`. `top` is what the caller keeps between windows: the largest
/// exponent to expect, no_top at first. It saves a pass over memory where it holds, and cannot be seen in the sum's value.
template <class Source>
WindowRange<Source> window_sum(const Source& source, int& top, WindowSum& sum, Isa isa);

}  // namespace detbench::reduction
