// A plain matrix product as a problem: c = a b, nothing added.
#pragma once

#include <string>

#include "kernels/problem.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

struct MatmulProblem {
  std::int64_t mb = 1;  ///< rows of a and c, "m" in the text: the samples of this product
  std::int64_t n = 1, k = 1;
  ProductTypes types;
  /// Layouts "nn", "nt", "tn", "tt": how a and b lie, 'n' row by row and 't' column by column. c lies row by row.
  bool a_transposed = false, b_transposed = false;

  double flops() const { return 2.0 * static_cast<double>(mb) * static_cast<double>(n) * static_cast<double>(k); }
  bool operator==(const MatmulProblem&) const = default;
};

/// Inputs a (M,K) and b (K,N), output c (M,N), all of the storage type. The shapes do not depend on the layout, so the
/// same logical values are filled in whatever way they lie.
struct MatmulTensors {
  std::vector<TensorSpec> inputs, outputs;
};
MatmulTensors tensors_of(const MatmulProblem& problem);

Problem to_problem(const MatmulProblem& problem);  ///< "matmul/m32_n16_k401408/f32_f32_strict/tn"
Result<MatmulProblem> parse_matmul(const Problem& problem);

}  // namespace detbench
