// ReLU6 and swish alone, and the sum of two tensors (residual connections, and gradients that meet at a tensor with two readers).
// Problems are "n1769472", types f32_f32_strict, layout "vector": both sides lie alike in memory, so a network binds
// these to any layout with its padding, which stays zero.
//   relu6_fwd  src -> dst             dst = src clipped to [0, 6]
//   relu6_bwd  src, diff_dst -> diff_src   diff_dst where 0 < src < 6, else 0
//   swish_fwd  src -> dst             dst = src * sigmoid(src)
//   swish_bwd  src, diff_dst -> diff_src   diff_dst * s (1 + src (1 - s)) with s = sigmoid(src)
//   add        a, b -> dst            dst = a + b; dst may be the memory of a or b
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

std::vector<std::unique_ptr<Operation>> make_activation_operations(const AlgorithmSearch& search = {});

/// Shape, types and layout of these problems.
Problem vector_problem(std::string op, std::int64_t elements);

}  // namespace detbench
