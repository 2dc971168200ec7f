// What a matrix product and the three passes of a dense layer have in common: one product, and what is done beside it. The
// providers of GPU libraries and our CUDA kernels answer all four operations through this.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/cublas/gemm.hpp"
#include "kernels/op.hpp"

namespace detbench {

struct Product {
  /// gemm.output is the type that the product itself is stored in: f32, whatever the output's type, where a bias is
  /// added afterwards, so that the sum is rounded to the narrow type once.
  cublas::Gemm gemm;
  std::vector<TensorSpec> inputs, outputs;  ///< outputs[0] is the product's
  int a = 0, b = 1;                         ///< places of its operands among the inputs
  int bias = -1;                            ///< place of an f32 vector of n that is added to every row; -1: none
  /// Place of the matrix (gemm.k rows of gemm.m) whose column sums are outputs[1]; -1: none.
  int column_sums = -1;

  /// True when the product is not written to outputs[0] itself but to f32 scratch.
  bool needs_scratch() const { return gemm.output != outputs[0].type; }
  /// Size of the smallest element: what kernels that take any element's address ask of one.
  std::size_t element_bytes() const { return size_of(gemm.input); }
  std::size_t scratch_bytes() const { return needs_scratch() ? sizeof(float) * static_cast<std::size_t>(gemm.m * gemm.n) : 0; }
};

/// From a problem of op "matmul", "dense_fwd", "dense_dgrad" or "dense_wgrad":
///   forward   dst (mb,oc) = src (mb,ic) weights^T + bias;
///   dgrad     diff_src (mb,ic) = diff_dst (mb,oc) weights;
///   wgrad     diff_weights (oc,ic) = diff_dst^T src; diff_bias = column sums of diff_dst.
/// Layouts of a dense layer mean nothing here: everything lies in rows.
Result<Product> parse_product(const Problem& problem);

/// Fails when the tensors are not as many as the product's.
Status check_bound(const Product& product, std::span<const Tensor> inputs, std::span<const Tensor> outputs);

/// The one row of a provider that has nothing to offer, and why.
std::vector<Offer> no_offers(std::string_view provider, Reason reason);

/// The largest power of two that every tensor of the product starts at under this configuration, at most 4096: what may be
/// declared to a library that chooses kernels by alignment.
std::size_t declared_alignment(const DeviceConfiguration& configuration, const Product& product);

}  // namespace detbench
