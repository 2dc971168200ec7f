// The sums of one window (window.hpp), vectorized.
#pragma once

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/window.hpp"

namespace detbench::reduction {

/// Exact partial sums of window_elements summands; `lost` is that of what f64 products lost, zero for other sources.
struct WindowSum {
  SlicedSum rounded, lost;
};
/// The sums are only there where window_fit(range) is not `none`.
template <class Source>
WindowRange<Source> window_sum(const Source& source, WindowSum& sum, Isa isa);

}  // namespace detbench::reduction
