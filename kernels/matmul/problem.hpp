// A fully connected layer as a problem: y = x W^T + b and its gradients.
#pragma once

#include <string>
#include <string_view>

#include "kernels/problem.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

enum class DensePass { forward, dgrad, wgrad };
inline constexpr DensePass all_dense_passes[] = {DensePass::forward, DensePass::dgrad, DensePass::wgrad};
std::string_view op_name(DensePass pass);  ///< "dense_fwd", "dense_dgrad", "dense_wgrad"

struct DenseProblem {
  std::int64_t mb = 1, ic = 1, oc = 1;
  DensePass pass = DensePass::forward;
  ProductTypes types;
  /// "rowmajor": activations (rows of the batch) lie so, weights are each implementation's own affair.
  /// "blocked": every tensor in the implementation's preferred layout.
  std::string layout = "rowmajor";

  std::int64_t reduction_length() const;  ///< products in the longest sum of one output, the bias counted as one
  double flops() const { return 2.0 * static_cast<double>(mb) * static_cast<double>(ic) * static_cast<double>(oc); }
  bool operator==(const DenseProblem&) const = default;
};

/// forward src (N,C), weights (K,C), bias (K) -> dst (N,K); dgrad diff_dst (N,K), weights (K,C) -> diff_src (N,C);
/// wgrad src (N,C), diff_dst (N,K) -> diff_weights (K,C), diff_bias (K). Row-major. Biases and gradients of weights and
/// bias are f32 whatever the storage type.
struct DenseTensors {
  std::vector<TensorSpec> inputs, outputs;
};
DenseTensors tensors_of(const DenseProblem& problem);

Problem to_problem(const DenseProblem& problem);  ///< shape "mb8_ic1280_oc1000"
Result<DenseProblem> parse_dense(const Problem& problem);

}  // namespace detbench
