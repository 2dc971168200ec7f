// Pooling.
//   global_avg_pool_fwd  src (N,H,W,C) -> dst (N,C)            mean over H*W
//   global_avg_pool_bwd  diff_dst (N,C) -> diff_src (N,H,W,C)  diff_dst / (H*W) at every pixel
// Shape "mb8_c1280_h3_w3", types f32_f32_strict, layouts nhwc, nchw, nchw16c, nchw8c and blocked (ours: nchw16c); dst is
// a plain matrix in all of them.
//
// Pooling over windows, f32_f32_strict, layouts nhwc and nchw, pads smaller than the window:
//   max_pool_fwd  src (N,IH,IW,C) -> dst (N,OH,OW,C)             "mb32_c64_ih112_iw112_kh3_kw3_sh2_sw2_pt0_pb1_pl0_pr1"
//   max_pool_bwd  src, diff_dst (N,OH,OW,C) -> diff_src          the first of equals in row-major order wins
//   avg_pool_fwd  src -> dst                                     and "_ip1" behind it: padding counts in the divisor
//   avg_pool_bwd  diff_dst -> diff_src
// OH = (IH + pt + pb - kh) / sh + 1, rounded down. Windows that overlap (stride below size) are where scattered gradients
// meet; 2x2 windows of stride 2 cannot race.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

std::vector<std::unique_ptr<Operation>> make_pooling_operations(const AlgorithmSearch& search = {});

Problem global_avg_pool_problem(bool backward, std::int64_t batch, std::int64_t channels, std::int64_t height,
                                std::int64_t width, std::string layout);

}  // namespace detbench
