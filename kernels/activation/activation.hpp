// Activations alone, and the sum of two tensors (residual connections, and gradients that meet at a tensor with two readers).
// Problems are "n1769472", types f32_f32_strict, f16_f32_strict or bf16_f32_strict, layout "vector": both sides lie alike in
// memory, so a network binds these to any layout with its padding, which stays zero (but for the sigmoid's, which is 1/2 of 0).
//   relu_fwd   src -> dst             dst = src, or 0 where it is below
//   relu_bwd   src, diff_dst -> diff_src   diff_dst where src > 0, else 0
//   relu6_fwd  src -> dst             dst = src clipped to [0, 6]
//   relu6_bwd  src, diff_dst -> diff_src   diff_dst where 0 < src < 6, else 0
//   swish_fwd  src -> dst             dst = src * sigmoid(src)
//   swish_bwd  src, diff_dst -> diff_src   diff_dst * s (1 + src (1 - s)) with s = sigmoid(src)
//   sigmoid_fwd  src -> dst           dst = s = 1/(1 + e^-src)
//   sigmoid_bwd  src, diff_dst -> diff_src   diff_dst * s (1 - s)
//   add        a, b -> dst            dst = a + b; dst may be the memory of a or b
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

std::vector<std::unique_ptr<Operation>> make_activation_operations(const AlgorithmSearch& search = {});

/// Shape, types and layout of these problems.
Problem vector_problem(std::string op, std::int64_t elements, std::string types = "f32_f32_strict");

}  // namespace detbench
