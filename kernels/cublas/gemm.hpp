// One matrix product, as cuBLAS and cuBLASLt are asked for it. Plain: no vendor header.
#pragma once

#include <cstdint>

#include "kernels/tensor/tensor.hpp"

namespace detbench::cublas {

/// Row-major out(m, n) = a(m, k) b(k, n) without gaps. Both libraries think in columns: they are asked for the
/// transposed product, out^T = b^T a^T, whose matrices lie in memory as ours do.
struct Gemm {
  std::int64_t m = 1, n = 1, k = 1;
  bool a_transposed = false;  ///< a lies in memory as k rows of m
  bool b_transposed = false;  ///< b lies in memory as n rows of k
  DataType input = DataType::f32, output = DataType::f32;
  bool tf32 = false;
  bool operator==(const Gemm&) const = default;
};

}  // namespace detbench::cublas
