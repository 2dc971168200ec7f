// Sums of products in a stated order, per instruction set: the inner kernels of the fixed-order convolutions and matrix
// products (METHOD section 10).
//
// Every result is one chain of fused multiply-adds in f32, acc = fma(a, b, acc), whose order is part of each function's
// contract. Vector lanes only ever hold *different* results, so the width of a register, and with it the instruction
// set, cannot change a bit. A CUDA thread that walks the same chain gets the same bits.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/problem.hpp"
#include "kernels/result.hpp"

namespace detbench {

enum class InstructionSet { baseline, avx2, avx512 };
inline constexpr InstructionSet all_instruction_sets[] = {InstructionSet::baseline, InstructionSet::avx2,
                                                          InstructionSet::avx512};
std::string_view to_text(InstructionSet set);
bool cpu_has(InstructionSet set);

namespace ordered {

/// Columns of a packed panel: a number of the format, not of the machine.
inline constexpr std::int64_t panel_columns = 32;
/// Most rows that any instruction set's tile_rows asks for, and most pixels of one depthwise call.
inline constexpr int most_tile_rows = 12;
inline constexpr int most_depthwise_pixels = 4;
/// Most taps of one filter row of depthwise_row().
inline constexpr int most_row_taps = 5;

/// Rows of a convolution's weight gradient: sums over output pixels, row by row.
struct PixelSums {
  const float* diff_dst;       ///< N,P,Q,K
  const float* src;            ///< N,H,W,C
  std::int64_t p, q, k;        ///< output rows and columns per image; elements from one output pixel to the next
  std::int64_t h, w, c;        ///< the same of the input
  std::int64_t stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;

  /// Input row that output row y meets at tap r, or a number outside [0, h).
  std::int64_t input_row(std::int64_t y, std::int64_t r) const { return y * stride_h - pad_top + r * dilation_h; }
  /// Output columns [first, last) whose tap s lies inside the image.
  void inside(std::int64_t s, std::int64_t& first, std::int64_t& last) const {
    const std::int64_t shift = pad_left - s * dilation_w;  // column x meets input x * stride_w - shift
    first = shift <= 0 ? 0 : (shift + stride_w - 1) / stride_w;
    const std::int64_t room = w - 1 + shift;
    last = room < 0 ? 0 : room / stride_w + 1;
    if (last > q) last = q;
    if (first > last) first = last;
  }
};

/// One row of a depthwise convolution's results, whose taps are neighbours in the input's row.
struct DepthwiseRow {
  const float* const* lines;    ///< per filter row: the input row's first pixel, or nullptr: the row lies in the padding
  const float* const* filters;  ///< per filter row: [tap][channel] of the taps that take part
  std::int64_t filter_rows, filter_step;  ///< elements from one tap to the next
  std::int64_t columns, pixel;  ///< of the input row; elements from one input pixel to the next
  std::int64_t first;           ///< input column that tap 0 of result 0 reads; it may lie outside
  std::int64_t channels, results, out_step;  ///< elements from one result to the next
  float* out;
};

struct Kernels {
  InstructionSet set;
  int tile_rows;  ///< most rows of one call of tile() and outer(); says nothing about results

  /// out[m][j] = +0, then for t < taps, for c < depth: fma(a[t * rows + m][c], panels[t][32 c + j], acc). For m < rows
  /// <= tile_rows and j < columns <= 32; panels always have 32 columns.
  void (*tile)(int rows, int columns, std::int64_t taps, std::int64_t depth, const float* const* a,
               const float* const* panels, float* const* out);

  /// out[i * out_stride + j] = +0, then for image rows `first` <= n * P + y < last, for x: fma(diff_dst[n,y,x,k0 + i],
  /// src[n, tap row, tap column, c0 + j], acc); pixels whose tap (r, s) lies in the padding are left out. For i < rows
  /// <= tile_rows and j < columns <= 32. With rows_are_input, i counts input and j output channels: the same products,
  /// the same order, faster where there are few input channels.
  void (*outer)(int rows, int columns, const PixelSums& sums, bool rows_are_input, std::int64_t first, std::int64_t last,
                std::int64_t r, std::int64_t s, std::int64_t k0, std::int64_t c0, float* out, std::int64_t out_stride);

  /// out[m][c] = +0, then for t < taps: fma(rows[t * pixels + m][c], filters[t][c], acc), for c < channels, m < pixels
  /// <= 4.
  void (*depthwise)(int pixels, std::int64_t channels, std::int64_t taps, const float* const* rows,
                    const float* const* filters, float* const* out);

  /// out[j * out_step + c] = +0, then for filter rows r, for s < taps: fma(input[r][first + j step + s direction][c],
  /// filters[r][s][c], acc), with +0 for what lies in the padding. `taps` from 1 to most_row_taps; (step, direction) is
  /// (1, 1), (2, 1) or (1, -1).
  void (*depthwise_row)(const DepthwiseRow& row, int taps, int step, int direction);

  /// out[s * out_stride + c] for s < taps_w and c < channels: the sum of outer(), with k = c = channel c0 + c.
  void (*depthwise_sums)(std::int64_t channels, const PixelSums& sums, std::int64_t first, std::int64_t last,
                         std::int64_t r, std::int64_t taps_w, std::int64_t c0, float* out, std::int64_t out_stride);
};

const Kernels& kernels_baseline();
const Kernels& kernels_avx2();
const Kernels& kernels_avx512();

/// The widest set this CPU has, or the one that the option isa=baseline|avx2|avx512 names.
Result<const Kernels*> choose_kernels(const Options& options);

}  // namespace ordered
}  // namespace detbench
