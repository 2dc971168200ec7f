// Inner loops of the fixed-order batch norm, compiled once per instruction set. Only + - * / and comparisons, no fused
// multiply-add, and never two elements of one channel in an order that depends on the vector width: every instruction
// set gives the same bits.
#pragma once

#include <cstdint>

#include "kernels/activation/kinds.hpp"

namespace detbench::normalization {

/// Partial sums of one chunk of pixels are kept in this many lanes: pixel p of a chunk adds to lane p % 8. Eight
/// independent chains hide the latency of an addition, and a plain layout (pixels contiguous) loads one lane set at once.
inline constexpr int lanes = 8;
/// Channels handled together; the row length of an accumulator.
inline constexpr int group = 16;

/// Per-channel constants of one group; arrays of at least `width` values.
struct GradientConstants {
  const float *mean, *scale, *shift;          ///< forward: y = x*scale + shift (where there is an activation)
  const float *factor, *offset, *slope;       ///< dx = factor*((d - offset) - (x - mean)*slope)
};

/// Runs of pixels whose channels lie side by side; `stride` elements from pixel to pixel. Accumulators are
/// [lanes][group]; `lane` is the lane of the run's first pixel; width <= group for the sums, any for the others.
/// `kept`: where the gradients leave d = dy times the slope for swish alone, whose slope costs more to compute again than
/// to store; a mask costs nothing. Then the same for planes, where the pixels of one channel lie side by side: accumulators are [lanes].
struct Kernels {
  void (*sum)(const float* x, std::int64_t stride, std::int64_t pixels, int lane, int width, float* accumulator);
  void (*squares)(const float* x, std::int64_t stride, std::int64_t pixels, int lane, int width, const float* center,
                  float* accumulator);
  void (*gradients)(const float* x, const float* dy, std::int64_t stride, std::int64_t pixels, int lane, int width,
                    const GradientConstants& constants, Activation activation, float* kept, float* sum_dy, float* sum_dyx);
  void (*apply)(const float* x, float* y, std::int64_t stride, std::int64_t pixels, std::int64_t width,
                const float* scale, const float* shift, Activation activation);
  void (*apply_gradient)(const float* x, const float* dy, float* dx, std::int64_t stride, std::int64_t pixels,
                         std::int64_t width, const GradientConstants& constants, Activation activation);
  /// dy through the activation's gradient at y alone, for libraries that lack the fused form.
  void (*through)(const float* x, const float* dy, float* d, std::int64_t stride, std::int64_t pixels, std::int64_t width,
                  const float* scale, const float* shift, Activation activation);

  void (*plane_sum)(const float* x, std::int64_t pixels, int lane, float* accumulator);
  void (*plane_squares)(const float* x, std::int64_t pixels, int lane, float center, float* accumulator);
  void (*plane_gradients)(const float* x, const float* dy, std::int64_t pixels, int lane, float mean, float scale,
                          float shift, Activation activation, float* kept, float* sum_dy, float* sum_dyx);
  void (*plane_apply)(const float* x, float* y, std::int64_t pixels, float scale, float shift, Activation activation);
  void (*plane_apply_gradient)(const float* x, const float* dy, float* dx, std::int64_t pixels, float mean, float scale,
                               float shift, float factor, float offset, float slope, Activation activation);
  void (*plane_through)(const float* x, const float* dy, float* d, std::int64_t pixels, float scale, float shift, Activation activation);
};

enum class InstructionSet { baseline, avx2, avx512 };
/// nullptr when this machine lacks the instruction set.
const Kernels* kernels_for(InstructionSet set);
/// The widest one there is.
const Kernels& best_kernels();

}  // namespace detbench::normalization
