// One matrix product, as cuBLAS and cuBLASLt are asked for it. Plain: no vendor header.
#pragma once

#include <cstdint>

#include "kernels/tensor/tensor.hpp"

namespace detbench::cublas {

/// Row-major out(m, n) = a(m, k) b(k, n) without gaps.
struct Gemm {
  std::int64_t m = 1, n = 1, k = 1;
  bool a_transposed = false;  ///< a lies in memory as k rows of m
  bool b_transposed = false;  ///< b lies in memory as n rows of k
  DataType input = DataType::f32, output = DataType::f32;
  bool tf32 = false;
  bool operator==(const Gemm&) const = default;
};

/// The same product as both libraries are asked for it. They think in columns, so they get the transposed one,
/// out^T(n, m) = b^T a^T, whose matrices lie in memory as ours do: their left operand is our b, their right one our a.
/// `rows` and `columns` are those of an operand as it lies, before it is transposed; rows are its leading dimension.
struct ColumnMajor {
  struct Operand {
    bool transposed;
    std::int64_t rows, columns;
  };
  std::int64_t m, n, k;
  Operand left, right;
};
constexpr ColumnMajor column_major(const Gemm& g) {
  return {g.n, g.m, g.k, {g.b_transposed, g.b_transposed ? g.k : g.n, g.b_transposed ? g.n : g.k}, {g.a_transposed, g.a_transposed ? g.m : g.k, g.a_transposed ? g.k : g.m}};
}

}  // namespace detbench::cublas
