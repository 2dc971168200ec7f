// The arithmetic of rows that the CPU and a GPU share. Sums over a row have eight lanes: element j adds to lane j % 8 in
// ascending order, and the lanes meet in a fixed tree.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/portable_math.hpp"

namespace detbench::rows {

inline constexpr int lanes = 8;

DETBENCH_HOST_DEVICE inline float join_lanes(const float* s) { return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])); }

/// What the target is in the row's label and elsewhere: onehot * (1 - s) + s / classes (Keras). 1 - s and s / classes are
/// Python floats there: computed in f64, rounded to f32 once. Without smoothing 1 and 0.
struct Smoothing {
  float kept = 1, off = 0, on = 1;
  bool exists = false;
  static Smoothing of(double s, std::int64_t classes) {
    const auto kept = static_cast<float>(1.0 - s), off = static_cast<float>(s / static_cast<double>(classes));
    return {kept, off, kept + off, s != 0};
  }
};

/// d loss / d logit from exp(x - max), their sum, and the batch.
DETBENCH_HOST_DEVICE inline float cross_entropy_gradient(float exponential, float sum, float target, float batch) {
  return (exponential / sum - target) / batch;
}
/// -log softmax of the label; the caller has checked that the label is a class.
DETBENCH_HOST_DEVICE inline float cross_entropy_loss(float sum, float label_logit, float top) { return portable::log(sum) - (label_logit - top); }
/// With smoothing, the sum of target_j (log(sum) - (x_j - max)); targets add up to 1. `shifted` is the row's sum of x - max.
DETBENCH_HOST_DEVICE inline float smoothed_loss(const Smoothing& smoothing, float sum, float label_logit, float top, float shifted) {
  return portable::log(sum) - (smoothing.kept * (label_logit - top) + smoothing.off * shifted);
}
/// What a label outside the classes gives.
DETBENCH_HOST_DEVICE inline float no_loss() { return float_from_bits(0x7FC00000u); }

/// d softmax: y (dy - sum of y dy); d log softmax: dy - exp(y) (sum of dy).
DETBENCH_HOST_DEVICE inline float softmax_gradient(float y, float dy, float dot) { return (dy - dot) * y; }
DETBENCH_HOST_DEVICE inline float log_softmax_gradient(float y, float dy, float sum) { return dy - portable::exp(y) * sum; }

}  // namespace detbench::rows
