// How one bin's values are added in order, for CPU and CUDA. A bin begins as +0.
#pragma once

#include "kernels/tensor/host_device.hpp"

namespace detbench::scatter_add {

template <class T>
struct PlainSum {
  using Value = T;
  T sum = 0;
  DETBENCH_HOST_DEVICE void add(T value) { sum += value; }
  DETBENCH_HOST_DEVICE T result() const { return sum; }
};

/// f32 values in f64, rounded once: exact for a bin until its magnitudes span 2^29.
struct WideSum {
  using Value = float;
  double sum = 0;
  DETBENCH_HOST_DEVICE void add(float value) { sum += static_cast<double>(value); }
  DETBENCH_HOST_DEVICE float result() const { return static_cast<float>(sum); }
};

/// Neumaier's sum (ZAMM 54, 1974): what each addition loses is added up beside the sum. Written with a choice between
/// operands, which costs no branch; infinities and NaNs of the sum itself stay, since what they lose is NaN.
template <class T>
struct CompensatedSum {
  using Value = T;
  T sum = 0, lost = 0;
  DETBENCH_HOST_DEVICE void add(T value) {
    const T total = sum + value;
    const bool sum_is_larger = (sum < 0 ? -sum : sum) >= (value < 0 ? -value : value);
    const T large = sum_is_larger ? sum : value, small = sum_is_larger ? value : sum;
    lost += (large - total) + small;
    sum = total;
  }
  DETBENCH_HOST_DEVICE T result() const {
    const T corrected = sum + lost;
    return corrected == corrected ? corrected : sum;
  }
};

}  // namespace detbench::scatter_add
