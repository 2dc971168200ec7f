#include "kernels/reduction/exact_sum.hpp"

#include <algorithm>
#include <type_traits>

#include "kernels/reduction/simd.hpp"
#include "kernels/reduction/window.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

template <class T, int Bytes>
struct WindowKernels {
  using Bits = typename FloatFormat<T>::Bits;
  using B = Simd<Bits, Bytes>;
  using D = Simd<double, Bytes>;
  static constexpr int ways = 4;  ///< independent vectors, to hide the latency of an addition

  DETBENCH_INLINE static void load_double(typename D::Vector& to, const T* from) {
    if constexpr (sizeof(T) == 8)
      D::load(to, from);
    else
      widen<Bytes>(to, from);
  }

  /// Asks for the elements one window ahead. A window has more instructions than a core looks ahead over, so without
  /// this it would wait for memory at each one's start (a quarter slower on an EPYC 9005). Harmless beyond the end.
  DETBENCH_INLINE static void prefetch_next(const T* x, int elements) {
    for (int i = 0; i < elements; i += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(x + window_elements + i);
  }

  DETBENCH_INLINE static void observe(const Bits* x, typename B::Vector& largest, typename B::Vector& smallest) {
    typename B::Vector magnitude;
    B::load(magnitude, x);
    magnitude &= static_cast<Bits>(~Bits{0} >> 1);
    largest = magnitude > largest ? magnitude : largest;
    magnitude -= 1;
    smallest = magnitude < smallest ? magnitude : smallest;
  }

  DETBENCH_INLINE static MagnitudeRange<T> joined(const typename B::Vector (&largest)[2],
                                                  const typename B::Vector (&smallest)[2]) {
    const typename B::Vector top = largest[0] > largest[1] ? largest[0] : largest[1];
    const typename B::Vector bottom = smallest[0] < smallest[1] ? smallest[0] : smallest[1];
    MagnitudeRange<T> range;
    for (int i = 0; i < B::width; ++i) {
      range.largest = std::max<Bits>(range.largest, top[i]);
      range.smallest_less_one = std::min<Bits>(range.smallest_less_one, bottom[i]);
    }
    return range;
  }

  DETBENCH_INLINE static SlicedSum joined(const typename D::Vector& high, const typename D::Vector& low) {
    SlicedSum sum;
    for (int i = 0; i < D::width; ++i) {
      sum.high += high[i];
      sum.low += low[i];
    }
    return sum;
  }

  DETBENCH_INLINE static MagnitudeRange<T> range_of(const T* x) {
    const Bits* bits = reinterpret_cast<const Bits*>(x);
    typename B::Vector largest[2] = {}, smallest[2] = {~typename B::Vector{}, ~typename B::Vector{}};
    for (int i = 0; i < window_elements; i += 2 * B::width) {
      prefetch_next(x + i, 2 * B::width);
      observe(bits + i, largest[0], smallest[0]);
      observe(bits + i + B::width, largest[1], smallest[1]);
    }
    return joined(largest, smallest);
  }

  DETBENCH_INLINE static SlicedSum sliced(const T* x, double slicer) {
    typename D::Vector high[ways] = {}, low[ways] = {};
    for (int i = 0; i < window_elements; i += ways * D::width) {
#pragma GCC unroll 4
      for (int w = 0; w < ways; ++w) {
        typename D::Vector value;
        load_double(value, x + i + w * D::width);
        const typename D::Vector part = (value + slicer) - slicer;
        high[w] += part;
        low[w] += value - part;
      }
    }
    return joined((high[0] + high[1]) + (high[2] + high[3]), (low[0] + low[1]) + (low[2] + low[3]));
  }

  /// Speculates that the window is narrow: range and sums in one pass over memory. The sums are thrown away when it is
  /// not. Each lane takes window_elements / (8 * width) <= 128 summands.
  DETBENCH_INLINE static MagnitudeRange<T> narrow(const T* x, SlicedSum& sum) {
    constexpr int vectors = 8;
    static_assert(window_elements / (vectors * D::width) <= narrow_terms);
    const Bits* bits = reinterpret_cast<const Bits*>(x);
    typename D::Vector sums[vectors] = {};
    typename B::Vector largest[2] = {}, smallest[2] = {~typename B::Vector{}, ~typename B::Vector{}};
    for (int i = 0; i < window_elements; i += vectors * D::width) {
      prefetch_next(x + i, vectors * D::width);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        typename D::Vector value;
        load_double(value, x + i + v * D::width);
        sums[v] += value;
      }
#pragma GCC unroll 4
      for (int w = 0; w < vectors * D::width / B::width; ++w)
        observe(bits + i + w * B::width, largest[w % 2], smallest[w % 2]);
    }
    const MagnitudeRange<T> range = joined(largest, smallest);
    if (range.fit() != WindowFit::narrow) return range;
    const double slicer = range.slicer();
    typename D::Vector high = {}, low = {};
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      const typename D::Vector part = (sums[v] + slicer) - slicer;
      high += part;
      low += sums[v] - part;
    }
    sum = joined(high, low);
    return range;
  }

  DETBENCH_INLINE static MagnitudeRange<T> window(const T* x, SlicedSum& sum) {
    if constexpr (sizeof(T) == 4) {
      const MagnitudeRange<T> range = narrow(x, sum);
      if (range.fit() == WindowFit::sliced) sum = sliced(x, range.slicer());
      return range;
    } else {
      const MagnitudeRange<T> range = range_of(x);
      if (range.fit() != WindowFit::none) sum = sliced(x, range.slicer());
      return range;
    }
  }
};

template <class T>
MagnitudeRange<T> window_baseline(const T* x, SlicedSum& sum) {
  return WindowKernels<T, 16>::window(x, sum);
}
template <class T>
DETBENCH_TARGET_AVX2 MagnitudeRange<T> window_avx2(const T* x, SlicedSum& sum) {
  return WindowKernels<T, 32>::window(x, sum);
}
template <class T>
DETBENCH_TARGET_AVX512 MagnitudeRange<T> window_avx512(const T* x, SlicedSum& sum) {
  return WindowKernels<T, 64>::window(x, sum);
}

template <class T>
MagnitudeRange<T> window_sum(const T* x, SlicedSum& sum, Isa isa) {
  switch (isa) {
    case Isa::avx512: return window_avx512(x, sum);
    case Isa::avx2: return window_avx2(x, sum);
    default: return window_baseline(x, sum);
  }
}

}  // namespace

/// f32 has few exponents: significands are added up in one 64-bit bin per exponent, which holds 2^39 of them, and only
/// the bins go to the limbs. Four sets of bins, because neighbours often share an exponent and an addition to the bin
/// just written would wait for the store.
template <>
void ExactSum<float>::add_binned(const float* x, std::int64_t n) {
  constexpr int sets = 4, exponents = 256, beyond = 255;
  std::int64_t bins[sets][exponents] = {};
  bool any_special = false, any_other = false;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = bits_of(x[i]);
    const std::uint32_t exponent = bits >> 23 & 0xFFu;
    const auto significand =
        static_cast<std::int64_t>((bits & 0x7FFFFFu) | static_cast<std::uint32_t>(exponent != 0) << 23);
    const std::int64_t sign = -static_cast<std::int64_t>(bits >> 31);  // all ones for a negative summand
    bins[i % sets][exponent] += (significand ^ sign) - sign;
    any_special |= exponent == beyond;
    any_other |= bits != 0x80000000u;
  }
  for (int exponent = 0; exponent < beyond; ++exponent) {
    const std::int64_t sum = (bins[0][exponent] + bins[1][exponent]) + (bins[2][exponent] + bins[3][exponent]);
    if (sum == 0) continue;
    const auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
    add_digits(magnitude, last_place<float>(exponent), sum < 0, AddToSlot{slots_});
    if (++deposits_ == Slots::deposits_before_carry) carry();
  }
  if (any_special)
    for (std::int64_t i = 0; i < n; ++i)
      if ((bits_of(x[i]) >> 23 & 0xFFu) == beyond) deposit_one(x[i]);
  if (any_other) slots_[Slots::not_negative_zero_slot] = 1;
}

template <class T>
void ExactSum<T>::add_each(const T* x, std::int64_t n) {
  // Clearing and emptying the bins costs as much as some hundred deposits.
  if constexpr (sizeof(T) == 4)
    if (n >= 512) return add_binned(x, n);
  for (std::int64_t i = 0; i < n; ++i) {
    deposit_one(x[i]);
    if (bits_of(x[i]) != bits_of(-T(0))) slots_[Slots::not_negative_zero_slot] = 1;
  }
}

template <class T>
void ExactSum<T>::add_window(const T* x, Isa isa) {
  SlicedSum sum;
  const MagnitudeRange<T> range = window_sum(x, sum, isa);
  // Zeros alone leave only their signs to look at; infinities, NaNs and wide spreads need every element.
  if (range.all_zero() || range.fit() == WindowFit::none) return add_each(x, window_elements);
  slots_[Slots::not_negative_zero_slot] = 1;
  deposit_one(sum.high);
  deposit_one(sum.low);
}

template <class T>
void ExactSum<T>::add_windows(const T* x, std::int64_t n, Isa isa) {
  for (; n >= window_elements; x += window_elements, n -= window_elements) add_window(x, isa);
  add_each(x, n);
}

template <class T>
void ExactSum<T>::carry() {
  carry_limbs(slots_, Slots::limbs);
  deposits_ = 0;
}

template <class T>
void ExactSum<T>::join_into(std::int64_t* shared) {
  carry();  // digits below 2^32 leave room for 2^30 threads
  for (int slot = 0; slot < Slots::slots; ++slot) {
    if (slots_[slot] == 0) continue;
#pragma omp atomic
    shared[slot] += slots_[slot];
  }
}

template class ExactSum<float>;
template class ExactSum<double>;

}  // namespace detbench::reduction
