// What is asked, and by which way it is answered: the two halves of a case name (DESIGN section 5).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/claim.hpp"
#include "kernels/result.hpp"

namespace detbench {

/// A problem in its canonical text form. Each operation parses `shape`, `types` and `layout` into its own struct and
/// refuses what it does not understand; everybody else only carries the four texts.
struct Problem {
  std::string op;      ///< "conv_fwd", "conv_wgrad", "sum", "train_step", ...
  std::string shape;   ///< "mb8_g1_ic3_ih224_...", "n16777216", ...
  std::string types;   ///< storage, accumulator and math mode: "f32_f32_strict"
  std::string layout;  ///< "nhwc", "nchw", "blocked" (each implementation's preferred one), "vector"
  auto operator<=>(const Problem&) const = default;
};

using Options = std::map<std::string, std::string>;  ///< sorted, so that one case has one name

/// One way a provider answers a problem.
struct Algorithm {
  std::string provider;  ///< "onednn", "fixed_order", "reference", "openmp", ...
  std::string name;      ///< engine and knobs, never a list index; may hold ':'
  Options options;       ///< everything else that can change bits and is not a recorded default
  Claim claim;           ///< not part of the name
  /// True when the result is a plain sum of products in some order, so that the `exact` fill must give equality;
  /// false for Winograd, FFT and other transforms with inexact constants (METHOD section 2).
  bool sum_of_products = true;
  /// The constant c of the rounding bound for this class of algorithms (METHOD section 2): 1 for direct sums.
  double bound_constant = 1.0;
};

/// "op/shape/types/layout/provider:algorithm[@option=value,...]": case -> id.
std::string problem_id(const Problem& problem);
std::string algorithm_id(const Algorithm& algorithm);
std::string case_id(const Problem& problem, const Algorithm& algorithm);

struct CaseName {
  Problem problem;
  Algorithm algorithm;  ///< provider, name and options only
};

/// id -> case, the inverse of case_id. Errors name the part that is wrong and show the grammar.
Result<CaseName> parse_case_id(std::string_view id);
/// The first four parts alone.
Result<Problem> parse_problem_id(std::string_view id);

/// A shape written as key/value pairs: "mb8_g1_ih224" <-> {{"mb",8},{"g",1},{"ih",224}}. Keys are letters, values
/// decimal numbers (a '.' is allowed: "alpha0.35"); order is kept. The shared reader and writer of every operation.
using ShapeFields = std::vector<std::pair<std::string, std::string>>;
Result<ShapeFields> parse_shape(std::string_view shape);
std::string format_shape(const ShapeFields& fields);
/// A shape may end in words, parts without a number, that say of what kind the data are: "n1024_wide". `fields` is what
/// stands before them, for parse_shape() and read_shape().
struct WordedShape {
  std::string_view fields;
  std::vector<std::string_view> words;
};
WordedShape split_words(std::string_view shape);
/// Reads exactly the named integer fields in that order from a shape, each within [minimum, maximum].
struct FieldBounds {
  const char* key;
  std::int64_t minimum;
  std::int64_t maximum;
};
Result<std::vector<std::int64_t>> read_shape(std::string_view shape, const std::vector<FieldBounds>& fields);

}  // namespace detbench
