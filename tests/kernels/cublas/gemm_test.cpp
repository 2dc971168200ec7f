#include "kernels/cublas/gemm.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace detbench::cublas {
namespace {

/// What a column-major library computes, from its documentation: C = op(A) op(B), element (i, j) of a matrix with leading
/// dimension l at i + j l.
std::vector<long> library_product(const ColumnMajor& c, const std::vector<long>& left, const std::vector<long>& right) {
  std::vector<long> out(static_cast<std::size_t>(c.m * c.n), -1);
  const auto at = [](const std::vector<long>& matrix, const ColumnMajor::Operand& o, std::int64_t i, std::int64_t j) {
    const std::int64_t row = o.transposed ? j : i, column = o.transposed ? i : j;
    EXPECT_LT(row, o.rows);
    EXPECT_LT(column, o.columns);
    return matrix[static_cast<std::size_t>(row + column * o.rows)];
  };
  for (std::int64_t i = 0; i < c.m; ++i)
    for (std::int64_t j = 0; j < c.n; ++j) {
      long sum = 0;
      for (std::int64_t x = 0; x < c.k; ++x) sum += at(left, c.left, i, x) * at(right, c.right, x, j);
      out[static_cast<std::size_t>(i + j * c.m)] = sum;
    }
  return out;
}

TEST(Gemm, AColumnMajorLibraryIsAskedForOurRowMajorProduct) {
  for (const auto& [m, n, k] : {std::tuple<int, int, int>{1, 1, 1}, {2, 3, 5}, {7, 2, 3}, {4, 6, 1}})
    for (const bool a_transposed : {false, true})
      for (const bool b_transposed : {false, true}) {
        const auto element_a = [&](int i, int x) { return 1 + i * 31 + x * 7; };
        const auto element_b = [&](int x, int j) { return 2 + x * 13 + j * 5; };
        std::vector<long> a, b, expected;
        for (int r = 0; r < (a_transposed ? k : m); ++r)
          for (int c = 0; c < (a_transposed ? m : k); ++c) a.push_back(a_transposed ? element_a(c, r) : element_a(r, c));
        for (int r = 0; r < (b_transposed ? n : k); ++r)
          for (int c = 0; c < (b_transposed ? k : n); ++c) b.push_back(b_transposed ? element_b(c, r) : element_b(r, c));
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j) {
            long sum = 0;
            for (int x = 0; x < k; ++x) sum += element_a(i, x) * element_b(x, j);
            expected.push_back(sum);
          }
        const auto call = column_major({m, n, k, a_transposed, b_transposed, DataType::f32, DataType::f32, false});
        EXPECT_EQ(library_product(call, b, a), expected) << m << " " << n << " " << k << a_transposed << b_transposed;
      }
}

}  // namespace
}  // namespace detbench::cublas
