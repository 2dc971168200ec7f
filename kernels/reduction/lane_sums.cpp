#include "kernels/reduction/lane_sums.hpp"

#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/simd.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

/// Adds whole rows of 64 elements to as many lanes as `sums` holds, those from the row's element `x` on.
template <class T, class Sum, int Bytes, int Vectors>
DETBENCH_INLINE void add_rows(const T* x, std::int64_t rows, typename Simd<Sum, Bytes>::Vector (&sums)[Vectors]) {
  using V = Simd<Sum, Bytes>;
  for (std::int64_t row = 0; row < rows; ++row, x += lane_count) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      typename V::Vector value;
      if constexpr (sizeof(T) == sizeof(Sum))
        V::load(value, x + v * V::width);
      else
        widen<Bytes>(value, x + v * V::width);
      sums[v] += value;
    }
  }
}

/// Step 2 with whole vectors while strides span them, then inside the last one: the additions of fold_lanes().
template <class Sum, int Bytes, int Vectors>
DETBENCH_INLINE Sum fold_vectors(typename Simd<Sum, Bytes>::Vector (&sums)[Vectors]) {
  using V = Simd<Sum, Bytes>;
  static_assert(Vectors * V::width == lane_count);
#pragma GCC unroll 4
  for (int half = Vectors / 2; half > 0; half /= 2)
#pragma GCC unroll 4
    for (int v = 0; v < half; ++v) sums[v] += sums[v + half];
  alignas(64) Sum lanes[V::width];
  V::store(lanes, sums[0]);
  for (int stride = V::width / 2; stride > 0; stride /= 2)
    for (int lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
  return lanes[0];
}

template <class T, class Sum, int Bytes>
DETBENCH_INLINE Sum sum_body(const T* x, std::int64_t n) {
  using V = Simd<Sum, Bytes>;
  // Registers hold at most 8 vectors of sums; a narrow instruction set takes the lanes in several passes over the rows,
  // which a lane cannot notice.
  constexpr int all_vectors = lane_count / V::width, vectors = std::min(8, all_vectors);
  const std::int64_t rows = n / lane_count;
  typename V::Vector sums[vectors];
  if constexpr (vectors == all_vectors) {
    if (n % lane_count == 0) {  // the common case never leaves the registers
#pragma GCC unroll 8
      for (auto& sum : sums) sum = -typename V::Vector{};  // absent_value() in every lane
      add_rows<T, Sum, Bytes>(x, rows, sums);
      return fold_vectors<Sum, Bytes>(sums);
    }
  }
  alignas(64) Sum lanes[lane_count];
  for (int first = 0; first < lane_count; first += vectors * V::width) {
#pragma GCC unroll 8
    for (auto& sum : sums) sum = -typename V::Vector{};
    add_rows<T, Sum, Bytes>(x + first, rows, sums);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) V::store(lanes + first + v * V::width, sums[v]);
  }
  // What is left of the last row; lanes without an element keep their sum, as if -0.0 were added.
  for (std::int64_t i = rows * lane_count; i < n; ++i) lanes[i % lane_count] += static_cast<Sum>(x[i]);
  return fold_lanes(lanes);
}

/// Four vectors of sums and four of losses at a time.
template <class T, int Bytes>
DETBENCH_INLINE double kahan_body(const T* x, std::int64_t n) {
  using V = Simd<T, Bytes>;
  constexpr int vectors = std::min(4, lane_count / V::width);
  alignas(64) T sums[lane_count], losses[lane_count];
  const std::int64_t rows = n / lane_count;
  for (int first = 0; first < lane_count; first += vectors * V::width) {
    typename V::Vector sum[vectors], loss[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[v] = loss[v] = typename V::Vector{};
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        typename V::Vector value;
        V::load(value, x + row * lane_count + first + v * V::width);
        value -= loss[v];
        const typename V::Vector total = sum[v] + value;
        loss[v] = (total - sum[v]) - value;
        sum[v] = total;
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      V::store(sums + first + v * V::width, sum[v]);
      V::store(losses + first + v * V::width, loss[v]);
    }
  }
  for (std::int64_t i = rows * lane_count; i < n; ++i) {
    T& sum = sums[i % lane_count];
    T& loss = losses[i % lane_count];
    const T value = x[i] - loss, total = sum + value;
    loss = (total - sum) - value;
    sum = total;
  }
  double lanes[lane_count];
  for (int lane = 0; lane < lane_count; ++lane)
    lanes[lane] = static_cast<double>(sums[lane]) - static_cast<double>(losses[lane]);
  return fold_lanes(lanes);
}

template <class T>
T sum_baseline(const T* x, std::int64_t n) {
  return sum_body<T, T, 16>(x, n);
}
template <class T>
DETBENCH_TARGET_AVX2 T sum_avx2(const T* x, std::int64_t n) {
  return sum_body<T, T, 32>(x, n);
}
template <class T>
DETBENCH_TARGET_AVX512 T sum_avx512(const T* x, std::int64_t n) {
  return sum_body<T, T, 64>(x, n);
}

double f64_baseline(const float* x, std::int64_t n) { return sum_body<float, double, 16>(x, n); }
DETBENCH_TARGET_AVX2 double f64_avx2(const float* x, std::int64_t n) { return sum_body<float, double, 32>(x, n); }
DETBENCH_TARGET_AVX512 double f64_avx512(const float* x, std::int64_t n) { return sum_body<float, double, 64>(x, n); }

template <class T>
double kahan_baseline(const T* x, std::int64_t n) {
  return kahan_body<T, 16>(x, n);
}
template <class T>
DETBENCH_TARGET_AVX2 double kahan_avx2(const T* x, std::int64_t n) {
  return kahan_body<T, 32>(x, n);
}
template <class T>
DETBENCH_TARGET_AVX512 double kahan_avx512(const T* x, std::int64_t n) {
  return kahan_body<T, 64>(x, n);
}

}  // namespace

template <class T>
T lane_sum(const T* x, std::int64_t n, Isa isa) {
  switch (isa) {
    case Isa::avx512: return sum_avx512(x, n);
    case Isa::avx2: return sum_avx2(x, n);
    default: return sum_baseline(x, n);
  }
}

double lane_sum_in_f64(const float* x, std::int64_t n, Isa isa) {
  switch (isa) {
    case Isa::avx512: return f64_avx512(x, n);
    case Isa::avx2: return f64_avx2(x, n);
    default: return f64_baseline(x, n);
  }
}

template <class T>
double lane_sum_kahan(const T* x, std::int64_t n, Isa isa) {
  switch (isa) {
    case Isa::avx512: return kahan_avx512(x, n);
    case Isa::avx2: return kahan_avx2(x, n);
    default: return kahan_baseline(x, n);
  }
}

template float lane_sum<float>(const float*, std::int64_t, Isa);
template double lane_sum<double>(const double*, std::int64_t, Isa);
template double lane_sum_kahan<float>(const float*, std::int64_t, Isa);
template double lane_sum_kahan<double>(const double*, std::int64_t, Isa);

}  // namespace detbench::reduction
