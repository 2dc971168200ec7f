// What a CUDA thread does with its 64 summands of a window (window.hpp). No CUDA in it, so that tests play warps through on the
// host with the very same code.
#pragma once

#include "kernels/reduction/cuda_walk.hpp"
#include "kernels/reduction/window.hpp"

namespace detbench::reduction {

/// Takes element k of a four into a range.
template <class S>
DETBENCH_HOST_DEVICE inline void observe_four(WindowRange<Elements<S>>& range, const StoredFour<Elements<S>>& four, int k) {
  range.observe(four.x[k]);
}
template <class S>
DETBENCH_HOST_DEVICE inline void observe_four(WindowRange<Products<S>>& range, const StoredFour<Products<S>>& four, int k) {
  range.observe(four.x[k], four.y[k]);
}

/// One thread's share of a window that fits: `each(visit)` calls visit(four, k) for its summands, narrow_terms at most. The
/// shares' highs and lows can be added up in any order. `lost` is what the rounding of f64 products lost, and stays 0 for all
/// others.
template <class Source, class Each>
DETBENCH_HOST_DEVICE inline void sum_share(const Each& each, WindowFit fit, double slicer, SlicedSum& sum, SlicedSum& lost) {
  using Four = StoredFour<Source>;
  if constexpr (!has_wide<Source> && Source::is_product) {
    each([&](const Four& four, int k) {
      const TwoTerms product = product_of(four.x[k], four.y[k]);
      sum.add(product.high, slicer);
      lost.add(product.low, slicer * lost_slicer_scale);
    });
  } else if (can_be_narrow<Source> && fit == WindowFit::narrow) {
    double sums[4] = {};
    each([&](const Four& four, int k) { sums[k] += four.template summand<WideLane>(k); });
    sum.add((sums[0] + sums[1]) + (sums[2] + sums[3]), slicer);
  } else {
    each([&](const Four& four, int k) { sum.add(four.template summand<WideLane>(k), slicer); });
  }
}

}  // namespace detbench::reduction
