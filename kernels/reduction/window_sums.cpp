#include "kernels/reduction/window_sums.hpp"

#include <algorithm>

#include "kernels/reduction/summand_vectors.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

/// Magnitudes of stored values, as vectors of their bits.
template <class S, int Bytes>
struct RangeVectors {
  using Bits = typename FloatFormat<S>::Bits;
  using B = Simd<Bits, Bytes>;
  typename B::Vector largest[2] = {}, smallest[2] = {~typename B::Vector{}, ~typename B::Vector{}};

  DETBENCH_INLINE void observe(const S* x, int way) {
    typename B::Vector magnitude;
    B::load(magnitude, x);
    magnitude &= static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
    largest[way] = magnitude > largest[way] ? magnitude : largest[way];
    magnitude -= 1;
    smallest[way] = magnitude < smallest[way] ? magnitude : smallest[way];
  }
  DETBENCH_INLINE MagnitudeRange<S> range() const {
    const typename B::Vector top = largest[0] > largest[1] ? largest[0] : largest[1];
    const typename B::Vector bottom = smallest[0] < smallest[1] ? smallest[0] : smallest[1];
    MagnitudeRange<S> joined;
    for (int i = 0; i < B::width; ++i) {
      joined.largest = std::max<Bits>(joined.largest, top[i]);
      joined.smallest_less_one = std::min<Bits>(joined.smallest_less_one, bottom[i]);
    }
    return joined;
  }
};

/// Asks for the elements one window ahead. A window has more instructions than a core looks ahead over, so without
/// this it would wait for memory at each one's start (a quarter slower on an EPYC 9005). Harmless beyond the end.
template <class S>
DETBENCH_INLINE void prefetch_next(const S* x, int elements) {
  for (int i = 0; i < elements; i += 64 / static_cast<int>(sizeof(S))) __builtin_prefetch(x + window_elements + i);
}

template <class Source, int Bytes>
struct RangesOf;
template <class S, int Bytes>
struct RangesOf<Elements<S>, Bytes> {
  RangeVectors<S, Bytes> x;
  static constexpr int width = Simd<typename FloatFormat<S>::Bits, Bytes>::width;
  DETBENCH_INLINE void observe(const Elements<S>& source, std::int64_t i, int way) { x.observe(source.x + i, way); }
  DETBENCH_INLINE static void prefetch(const Elements<S>& source, std::int64_t i, int elements) {
    prefetch_next(source.x + i, elements);
  }
  DETBENCH_INLINE WindowRange<Elements<S>> range() const { return {x.range()}; }
};
template <class S, int Bytes>
struct RangesOf<Products<S>, Bytes> {
  RangeVectors<S, Bytes> x, y;
  static constexpr int width = Simd<typename FloatFormat<S>::Bits, Bytes>::width;
  DETBENCH_INLINE void observe(const Products<S>& source, std::int64_t i, int way) {
    x.observe(source.x + i, way);
    y.observe(source.y + i, way);
  }
  DETBENCH_INLINE static void prefetch(const Products<S>& source, std::int64_t i, int elements) {
    prefetch_next(source.x + i, elements);
    prefetch_next(source.y + i, elements);
  }
  DETBENCH_INLINE WindowRange<Products<S>> range() const { return {x.range(), y.range()}; }
};

template <class Source, int Bytes>
struct WindowKernels {
  using D = Simd<double, Bytes>;
  using Ranges = RangesOf<Source, Bytes>;
  static constexpr int ways = 4;  ///< independent vectors, to hide the latency of an addition

  /// Any order does: the additions are exact.
  DETBENCH_INLINE static SlicedSum joined(const typename D::Vector& high, const typename D::Vector& low) {
    SlicedSum sum;
    for (int i = 0; i < D::width; ++i) {
      sum.high += high[i];
      sum.low += low[i];
    }
    return sum;
  }

  DETBENCH_INLINE static WindowRange<Source> range_of(const Source& source) {
    Ranges ranges;
    for (int i = 0; i < window_elements; i += 2 * Ranges::width) {
      Ranges::prefetch(source, i, 2 * Ranges::width);
      ranges.observe(source, i, 0);
      ranges.observe(source, i + Ranges::width, 1);
    }
    return ranges.range();
  }

  DETBENCH_INLINE static void slice(const typename D::Vector& value, double slicer, typename D::Vector& high,
                                    typename D::Vector& low) {
    const typename D::Vector part = (value + slicer) - slicer;
    high += part;
    low += value - part;
  }

  /// `Observe`: looks at the range in the same pass.
  template <bool Observe>
  DETBENCH_INLINE static WindowSum sliced(const Source& source, double slicer, Ranges& ranges) {
    typename D::Vector high[ways] = {}, low[ways] = {}, lost_high[ways] = {}, lost_low[ways] = {};
    constexpr int step = ways * D::width;
    static_assert(!Observe || step % (2 * Ranges::width) == 0);
    for (int i = 0; i < window_elements; i += step) {
      if constexpr (Observe) {
        Ranges::prefetch(source, i, step);
#pragma GCC unroll 4
        for (int w = 0; w < step / Ranges::width; ++w) ranges.observe(source, i + w * Ranges::width, w % 2);
      }
#pragma GCC unroll 4
      for (int w = 0; w < ways; ++w) {
        typename D::Vector value;
        if constexpr (!has_wide<Source> && Source::is_product) {
          typename D::Vector lost;
          load_products<Bytes>(value, lost, source, i + w * D::width);
          slice(lost, slicer * lost_slicer_scale, lost_high[w], lost_low[w]);
        } else {
          load_wide<Bytes>(value, source, i + w * D::width);
        }
        slice(value, slicer, high[w], low[w]);
      }
    }
    WindowSum sum;
    sum.rounded = joined((high[0] + high[1]) + (high[2] + high[3]), (low[0] + low[1]) + (low[2] + low[3]));
    if constexpr (!has_wide<Source> && Source::is_product)
      sum.lost = joined((lost_high[0] + lost_high[1]) + (lost_high[2] + lost_high[3]),
                        (lost_low[0] + lost_low[1]) + (lost_low[2] + lost_low[3]));
    return sum;
  }

  /// Speculates that the window is narrow: range and sums in one pass over memory. The sums are thrown away when it is
  /// not. Each lane takes window_elements / (8 * width) <= 128 summands.
  DETBENCH_INLINE static WindowRange<Source> narrow(const Source& source, SlicedSum& sum) {
    constexpr int vectors = 8, step = vectors * D::width;
    static_assert(window_elements / step <= narrow_terms && step % (2 * Ranges::width) == 0);
    typename D::Vector sums[vectors] = {};
    Ranges ranges;
    for (int i = 0; i < window_elements; i += step) {
      Ranges::prefetch(source, i, step);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        typename D::Vector value;
        load_wide<Bytes>(value, source, i + v * D::width);
        sums[v] += value;
      }
#pragma GCC unroll 4
      for (int w = 0; w < step / Ranges::width; ++w) ranges.observe(source, i + w * Ranges::width, w % 2);
    }
    const WindowRange<Source> range = ranges.range();
    if (window_fit(range) != WindowFit::narrow) return range;
    const double slicer = window_slicer(range);
    typename D::Vector high = {}, low = {};
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) slice(sums[v], slicer, high, low);
    sum = joined(high, low);
    return range;
  }

  /// Speculates that no exponent is above `top`, that of a window before, and that all lie close enough to it.
  DETBENCH_INLINE static WindowRange<Source> sliced_by_guess(const Source& source, int& top, WindowSum& sum) {
    Ranges ranges;
    sum = sliced<true>(source, window_slicer<Source>(top), ranges);
    const WindowRange<Source> range = ranges.range();
    if (range.top_exponent() <= top && window_fit(range, top) != WindowFit::none) return range;
    if (window_fit(range) != WindowFit::none) {
      top = range.top_exponent();
      sum = sliced<false>(source, window_slicer(range), ranges);
    }
    return range;
  }

  DETBENCH_INLINE static WindowRange<Source> window(const Source& source, int& top, WindowSum& sum) {
    Ranges unused;
    if constexpr (can_be_narrow<Source>) {
      const WindowRange<Source> range = narrow(source, sum.rounded);
      if (window_fit(range) == WindowFit::sliced) sum = sliced<false>(source, window_slicer(range), unused);
      return range;
    } else {
      if (top != no_top) return sliced_by_guess(source, top, sum);
      const WindowRange<Source> range = range_of(source);
      if (window_fit(range) != WindowFit::none) {
        sum = sliced<false>(source, window_slicer(range), unused);
        top = range.top_exponent();
      }
      return range;
    }
  }
};

template <class Source>
WindowRange<Source> window_baseline(const Source& source, int& top, WindowSum& sum) {
  return WindowKernels<Source, 16>::window(source, top, sum);
}
template <class Source>
DETBENCH_TARGET_AVX2 WindowRange<Source> window_avx2(const Source& source, int& top, WindowSum& sum) {
  return WindowKernels<Source, 32>::window(source, top, sum);
}
template <class Source>
DETBENCH_TARGET_AVX512 WindowRange<Source> window_avx512(const Source& source, int& top, WindowSum& sum) {
  return WindowKernels<Source, 64>::window(source, top, sum);
}

}  // namespace

template <class Source>
WindowRange<Source> window_sum(const Source& source, int& top, WindowSum& sum, Isa isa) {
  switch (isa) {
    case Isa::avx512: return window_avx512(source, top, sum);
    case Isa::avx2: return window_avx2(source, top, sum);
    default: return window_baseline(source, top, sum);
  }
}

#define DETBENCH_WINDOW_SUM(Source) template WindowRange<Source> window_sum<Source>(const Source&, int&, WindowSum&, Isa);
DETBENCH_FOR_EACH_SOURCE(DETBENCH_WINDOW_SUM)

}  // namespace detbench::reduction
