// Global average pooling.
//   global_avg_pool_fwd  src (N,H,W,C) -> dst (N,C)            mean over H*W
//   global_avg_pool_bwd  diff_dst (N,C) -> diff_src (N,H,W,C)  diff_dst / (H*W) at every pixel
// Shape "mb8_c1280_h3_w3", types f32_f32_strict, layouts nhwc, nchw, nchw16c, nchw8c and blocked (ours: nchw16c); dst is
// a plain matrix in all of them.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

std::vector<std::unique_ptr<Operation>> make_pooling_operations();

Problem global_avg_pool_problem(bool backward, std::int64_t batch, std::int64_t channels, std::int64_t height,
                                std::int64_t width, std::string layout);

}  // namespace detbench
