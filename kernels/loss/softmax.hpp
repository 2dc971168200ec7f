// Softmax and log-softmax over rows, forward and backward.
//   softmax_fwd      src (N,K) -> dst             exp(x - max) / sum
//   softmax_bwd      dst, diff_dst -> diff_src    dst (diff_dst - sum of dst diff_dst)
//   log_softmax_fwd  src (N,K) -> dst             (x - max) - log(sum)
//   log_softmax_bwd  dst, diff_dst -> diff_src    diff_dst - exp(dst) (sum of diff_dst)
// Shape "mb8_k1000", types f32_f32_strict, layout "plain".
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// In the order above.
std::vector<std::unique_ptr<Operation>> make_softmax_operations();
Problem softmax_problem(std::string op, std::int64_t batch, std::int64_t classes);

}  // namespace detbench
