// The ways in which cuBLAS itself is asked for a product: algorithm, workspace, streams, modes. Plain: no vendor header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cublas/gemm.hpp"
#include "kernels/problem.hpp"

namespace detbench {

struct CublasArm {
  /// cublasGemmAlgo_t: "default" -1; "autotune" 999, which tries and times what there is (when the op is bound) and keeps
  /// the winner in the handle; "algo0" .. "algo23" and "algo0_tensor_op" .. "algo15_tensor_op" 100 .. 115, which the
  /// library ignores on GPUs of compute capability 8.0 and newer.
  int algorithm = default_algorithm;
  static constexpr int default_algorithm = -1, autotune = 999;

  /// Option workspace=none|4MiB|32MiB|...: set by the program, each stream its own; without it the library's own pool.
  std::optional<std::size_t> workspace_bytes;
  /// Option config=:4096:8, as CUBLAS_WORKSPACE_CONFIG has it while the handle is made.
  std::string config;
  /// Option streams=4: one handle is switched among so many streams and products of the same shape are in flight on the
  /// others while it computes the answer: the one thing that cuBLAS's documentation excludes from its promise.
  int streams = 1;
  /// Option atomics=allowed: cublasSetAtomicsMode.
  bool atomics = false;
  /// Option math=pedantic | no_reduced_reduction | bf16x9 | f64 | fixed_point_f64. The last two, for f32 products alone,
  /// widen the operands to f64, multiply those, natively or emulated by integers (which cuBLAS's documentation excludes
  /// from its promise), and round the sums once.
  enum class Math { library, pedantic, no_reduced_reduction, bf16x9, f64, fixed_point_f64 } math = Math::library;
  bool is_wide() const { return math == Math::f64 || math == Math::fixed_point_f64; }

  bool operator==(const CublasArm&) const = default;
};

/// Every arm that has a meaning for this product on a GPU of that compute capability (90 for 9.0), the default first.
std::vector<CublasArm> cublas_arms(const cublas::Gemm& gemm, int compute_capability);

/// Provider, name, options and claim. `version` is the library's ("13.1.0").
/// Claims are those of cuBLAS's documentation, section 2.1.4: the same bits every run with one version on GPUs of one
/// architecture and number of multiprocessors, unless several streams are active without a workspace each.
Algorithm to_algorithm(const CublasArm& arm, const cublas::Gemm& gemm, const std::string& version);
/// The inverse, from name and options; refuses what it does not know, and spellings that are not to_algorithm's.
Result<CublasArm> parse_cublas_arm(const Algorithm& algorithm);

/// The constant c of the rounding bound for products that may add partial sums in the narrow type of their output
/// (cuBLAS's default math mode, cuBLASLt's scheme OUTPUT_TYPE and INPLACE): the ratio of that type's roundoff to f32's.
double narrow_reduction_bound(DataType output);

}  // namespace detbench
