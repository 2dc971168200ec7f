// Of what kind the summands of a reduction are: a word at the end of the problem's shape, because it belongs to what is
// asked and can change bits, errors and what a strategy costs.
#pragma once

#include <string>
#include <string_view>

#include "kernels/problem.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench::reduction {

enum class Distribution {
  centred,    ///< uniform in [-1, 1); no word: the default
  uniform,    ///< uniform in [0, 1): partial sums grow and their rounding errors with them
  wide,       ///< sign * 1.m * 2^e, e uniform in [-30, 30] (f16: [-10, 4])
  cancelling  ///< elements i and i + n/2 are opposite but for their last places
};
inline constexpr Distribution all_distributions[] = {Distribution::centred, Distribution::uniform, Distribution::wide,
                                                     Distribution::cancelling};

std::string_view to_text(Distribution distribution);

/// A shape without its words of distribution, and which it names. Errors name the word that is none; `known` are other
/// words that the operation reads for itself (they stay in `words`).
struct DistributedShape {
  std::string_view fields;
  Distribution distribution = Distribution::centred;
  std::vector<std::string_view> words;  ///< those of `known` that were there, in order
};
Result<DistributedShape> split_distribution(std::string_view shape, const std::vector<std::string_view>& known = {});
/// "" or "_wide": what a shape of this distribution ends in.
std::string distribution_suffix(Distribution distribution);

/// The fill of summands, `elements` of them in the tensor and `terms` of them at most in one output. Inputs::fill exact:
/// integers up to 8 in magnitude, so sparse that the expected sum of magnitudes is a quarter of what stays exact in
/// `accumulator`, whatever the distribution. rounding: the distribution. wide: Distribution::wide.
FillSpec summand_fill(const Inputs& inputs, std::string stream, DataType stored, DataType accumulator, std::int64_t elements,
                      std::int64_t terms, Distribution distribution);

}  // namespace detbench::reduction
