// How far an answer is from the exact one: the third price beside time and bits.
#pragma once

#include <cstdint>
#include <optional>

namespace detbench {

/// The outputs of a reduction against the exact sums of its very inputs, each rounded by nobody.
struct Accuracy {
  /// Largest |output - exact| in units in the last place that the output's type has at the exact value: at most 0.5
  /// where every output is correctly rounded.
  double error_ulp = 0;
  /// Largest |output - exact| / |exact| over the outputs whose exact value is not 0.
  double relative_error = 0;
  /// sum |x| / |sum x| of a reduction with one output; nullopt: several outputs, or the sum is 0.
  std::optional<double> condition;
  /// Of the runs that the probe made, smallest and largest error_ulp; nullopt where only one run was held against the
  /// exact sums (the outputs are many).
  std::optional<double> error_ulp_min, error_ulp_max;
};

}  // namespace detbench
