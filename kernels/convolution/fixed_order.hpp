// Convolutions whose bits depend on the inputs alone: not on threads, instruction set, layout, load or device.
//
// The order, on logical indices. Every result is a chain acc = fma(a, b, acc) in f32, from acc = +0; r and s ascend over
// filter rows and columns, c and k over the input and output channels of the group.
//   forward  dst[n,p,q,k]:      for r, s, c: fma(src, weights, acc). A tap in the padding takes part with src = +0.
//   dgrad    diff_src[n,h,w,c]: for r, s with (h + pt - r dh) and (w + pl - s dw) multiples of the strides, k:
//                               fma(diff_dst, weights, acc). A tap that falls outside diff_dst takes part with +0.
//   wgrad    diff_weights[k,r,s,c]: the output rows (n,p), counted together, are cut into chunks of wgrad_chunk_rows()
//                               rows; per chunk, for n, p, q ascending: fma(diff_dst, src, acc), taps in the padding
//                               left out; then the chunks' results are added in order, ((c0 + c1) + c2) + ...
// Chunks are counted from the problem alone, never from the machine. f16 and bf16 storage: inputs are widened to f32,
// results are rounded to nearest even once, at the end. On a GPU (fixed_order_cuda.hpp) threads walk the same chains.
#pragma once

#include "kernels/convolution/problem.hpp"
#include "kernels/convolution/tap_pattern.hpp"
#include "kernels/device/ordered_products.hpp"

namespace detbench {

/// At most 64 chunks, and at least 512 output pixels in each: enough for a GPU to be busy with few weights, and few enough
/// that adding the chunks costs nothing beside the sums.
std::int64_t wgrad_chunk_rows(const ConvolutionProblem& problem);
std::int64_t wgrad_chunks(const ConvolutionProblem& problem);

namespace fixed_order {

/// f32 workspace in elements; all tensors canonical f32.
std::int64_t workspace_elements(const ConvolutionProblem& problem);

/// The tables of one convolution, made once when it is bound. run() neither allocates nor synchronizes beyond its own
/// OpenMP regions.
class Runner {
 public:
  Runner(const ConvolutionProblem& problem, const ordered::Kernels& kernels);
  /// Inputs in the order of tensors_of(); `workspace` holds workspace_elements().
  void run(const float* first, const float* second, float* out, float* workspace) const;

 private:
  /// Results whose taps have the same pattern: all of a forward pass, or one residue of the strides of a dgrad.
  struct Pattern {
    std::int64_t rows, columns;            ///< results i < rows, j < columns of one image
    std::int64_t y0, y_step, x0, x_step;   ///< lie at (y0 + i y_step, x0 + j x_step)
    struct Tap {
      std::int64_t filter;                 ///< r * kw + s
      std::int64_t y, x;                   ///< reads input (i * i_step + y, j * j_step + x)
    };
    std::vector<Tap> taps;
    TapPattern regular;                    ///< the same in regular steps
  };

  void make_patterns();
  void pack_weights(const float* weights, float* packed) const;
  void gather_dense(const float* in, const float* packed, const float* zeros, float* out) const;
  bool lies_in_rows(const TapPattern& taps) const;
  void gather_rows(const float* in, const float* packed, float* out) const;
  void gather_depthwise(const float* in, const float* packed, const float* zeros, float* out) const;
  void sum_pixels(const float* src, const float* diff_dst, float* out, float* partials) const;
  void sum_pixels_dense(const ordered::PixelSums& sums, float* partials) const;
  void sum_pixels_depthwise(const ordered::PixelSums& sums, float* partials) const;

  ConvolutionProblem p_;
  const ordered::Kernels& kernels_;
  std::vector<Pattern> patterns_;
  std::int64_t i_step_ = 1, j_step_ = 1;
  std::int64_t in_h_, in_w_, in_c_, out_h_, out_w_, out_c_;  ///< of the tensors that forward or dgrad reads and writes
  std::int64_t depth_, width_;                               ///< channels of one group that are summed and produced
};

/// Most filter taps of a convolution; more would not fit the pointer tables on the stack.
inline constexpr std::int64_t most_taps = 256;

}  // namespace fixed_order
}  // namespace detbench
