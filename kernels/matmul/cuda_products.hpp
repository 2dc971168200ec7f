// Our matrix products on a GPU: one tile kernel, and three ways to join what it gives. Plain header; what it declares
// exists only in builds with CUDA (cuda_products.cu).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cublas/gemm.hpp"
#include "kernels/matmul/product_tile.hpp"
#include "kernels/result.hpp"

namespace detbench::products {

struct Call {
  cublas::Gemm gemm;            ///< gemm.output is not looked at
  const void *a = nullptr, *b = nullptr;
  const float* bias = nullptr;  ///< n values added to every row, or none
  void* out = nullptr;          ///< m rows of n, without gaps
  DataType output = DataType::f32;
  std::int64_t chunk = 0;       ///< products of one part; the last part may be shorter
  void* workspace = nullptr;    ///< at a multiple of 4
  void* stream = nullptr;       ///< cudaStream_t
};

/// Every output is one chain from +0: for x ascending, fma(a[i,x], b[x,j], acc); then acc + bias[j]; then it is rounded to
/// the output's type. No workspace.
Status enqueue_direct(const Call& call);

/// The same chain inside each part; the parts' f32 results are added by atomics, in whatever order they arrive.
std::size_t split_atomic_bytes(const cublas::Gemm& gemm, DataType output, bool bias);
Status enqueue_split_atomic(const Call& call);

/// The same chain inside each part; the parts' f32 results lie in the workspace and are added in ascending order.
std::size_t split_fixed_bytes(const cublas::Gemm& gemm, std::int64_t chunk);
Status enqueue_split_fixed(const Call& call);

/// out[i,j] = sums[i,j] + bias[j], rounded to the output's type; `out` may be `sums` where that is f32.
Status enqueue_add_bias(const float* sums, const float* bias, void* out, DataType output, std::int64_t m, std::int64_t n, void* stream);

/// wide[i] = narrow[i], exact.
Status enqueue_widen(const float* narrow, double* wide, std::int64_t elements, void* stream);
/// out[i,j] = sums[i,j] + bias[j] (none: nullptr), added in f64 and rounded to f32 once.
Status enqueue_round(const double* sums, const float* bias, float* out, std::int64_t m, std::int64_t n, void* stream);

/// out[j]: from +0, for row i ascending: acc + x[i,j]. One thread a column, so nothing but the shape decides the order.
Status enqueue_column_sums(const void* x, DataType type, std::int64_t rows, std::int64_t columns, float* out, void* stream);

}  // namespace detbench::products
