// The operation `resize_bilinear_bwd`: the gradient of bilinear resizing, up or down. Every output pixel of the forward pass
// read up to four input pixels; its gradient goes back to them, so that outputs meet in inputs.
//   diff_dst (N,OH,OW,C) -> diff_src (N,IH,IW,C)
// Shape "mb8_c32_ih28_iw28_oh56_ow56"; types f32_f32_strict, f16_f32_strict, bf16_f32_strict: diff_dst as stored, diff_src and
// sums in f32; layouts nhwc and nchw.
//
// Half-pixel centres, which is TensorFlow 2's rule and PyTorch's with align_corners=False. Along a dimension of I inputs and O
// outputs, output o lies at (o + 1/2) I/O - 1/2, kept within [0, I-1]: between input floor(that) and the next, to which it
// belongs by how near it lies. Both weights are quotients of whole numbers, rounded once (bilinear.hpp); frameworks compute
// the position in floating point instead, and differ by its rounding.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// Providers: fixed_order on both kinds of device, with the same bits; openmp and onednn on a CPU; cuda_atomic on CUDA.
std::unique_ptr<Operation> make_resize_bilinear_operation();

}  // namespace detbench
