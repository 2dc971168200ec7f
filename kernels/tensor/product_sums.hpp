// Verifying sums of products (convolutions, matrix products) against fp64: METHOD section 2.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// Storage, accumulator and math mode of a sum of products. Known: f32_f32_strict, f32_f32_tf32, f16_f32_strict,
/// bf16_f32_strict; the accumulator is f32 in all of them. A gradient of weights is stored in f32, or with the suffix of
/// f16_f32_strict_dwf16 and bf16_f32_strict_dwbf16 in 16 bits, which is what GPU libraries want.
struct ProductTypes {
  DataType storage = DataType::f32;
  bool tf32 = false;
  DataType weight_gradient = DataType::f32;
  auto operator<=>(const ProductTypes&) const = default;
};
std::string to_text(const ProductTypes& types);
/// The suffix has a meaning in gradients of weights only: refused unless `of_weight_gradient`.
Result<ProductTypes> parse_product_types(std::string_view text, bool of_weight_gradient = false);

/// One output in fp64: the sum, the sum of absolute products, and how many products entered.
struct ProductSum {
  double value = 0;
  double magnitude = 0;
  std::int64_t terms = 0;
  void add(double a, double b) {
    value += a * b;
    magnitude += std::abs(a * b);
    ++terms;
  }
};

/// Which outputs of a tensor are checked: canonical indices, ascending, and their sums.
struct CheckedOutput {
  std::string role;
  DataType type = DataType::f32;
  Shape shape;
  std::vector<std::int64_t> indices;
  std::vector<ProductSum> sums;
};

/// Precision on the path from inputs to outputs.
struct PathPrecision {
  double product_roundoff = 0x1p-24;  ///< unit roundoff of the accumulator, or of the inputs' type under TF32 (2^-11)
  bool strict_f32 = true;             ///< failing the f32 bound but meeting TF32's is called "lower precision than asked"
};

PathPrecision path_precision(const ProductTypes& types);

/// Holds the checked outputs against an algorithm's. The rules:
/// - every element of every output must be finite (an unwritten one shows as the NaN it was poisoned with);
/// - an output of zeros where the answer is not zero is refused by that name;
/// - `exact` fill and an algorithm that is a sum of products: equality;
/// - else |error| <= min(c (4 + 2 sqrt(K)), K) u sum|a||b| + r |answer|, with c = Algorithm::bound_constant, K the
///   products of that output and r the roundoff of the stored type where it is narrower than the accumulator. For
///   transforms (Winograd, FFT) K and the sum of absolute products are the largest among the checked outputs, because
///   their errors are bounded in norm only;
/// - a sum of products with c > 1 adds up in an accumulator whose roundoff is c u (cuDNN's engines with the note
///   REDUCED_PRECISION_REDUCTION): "never more than K u" becomes c K u, and equality is asked only of stored types that are
///   no wider than that accumulator;
/// - strict f32 under the rounding fill: the relative L2 error stays below 2^-14, which TF32 exceeds for any K.
/// Fails when the exact fill is not exact for these sums (their magnitude leaves the narrowest type's integers).
Result<std::unique_ptr<Reference>> make_product_sum_reference(const Inputs& inputs, const PathPrecision& precision,
                                                              std::vector<CheckedOutput> outputs);

/// The type that limits an exact fill: the stored output's, or TF32's 11 bits (those of f16) on the way.
DataType narrowest_type(const ProductTypes& types, DataType output);

/// Largest integer p such that all integers of magnitude up to 2^p are values of the type (f32 24, f16 11, bf16 8).
int integer_bits(DataType type);

/// The fill of one input of a sum of `terms` products. exact: small integers whose products' magnitudes stay within
/// 2^integer_bits(narrowest) for every output (by range; where a range of 1 is not enough by sparsity, with a margin of
/// 8 standard deviations over the expected number of non-zero products). rounding: normal deviates. wide: exponents of
/// +-12 with cancellation.
FillSpec product_fill(const Inputs& inputs, std::string stream, std::int64_t terms, DataType input, DataType narrowest);

/// Canonical indices to check: all when there are at most `limit`; else a seeded sample of that size, a third of it on
/// the edges of the shape (first and last index of a dimension), where kernels err first. Ascending, without repeats.
std::vector<std::int64_t> sample_outputs(const Shape& shape, std::int64_t limit, std::uint64_t seed);

/// How many outputs are worth checking: all up to 4096, or as many as keep the reference near 4e6 products (never fewer
/// than 256).
std::int64_t checked_output_limit(std::int64_t outputs, std::int64_t terms);

/// A host tensor's elements, filled as `spec` says and widened to f32, in canonical order. f32 and narrower types only.
Result<std::vector<float>> filled_values(DataType type, const Shape& shape, const FillSpec& spec);

}  // namespace detbench
