#include "kernels/reduction/distribution.hpp"

#include <algorithm>

namespace detbench::reduction {

std::string_view to_text(Distribution distribution) {
  switch (distribution) {
    case Distribution::uniform: return "uniform";
    case Distribution::wide: return "wide";
    case Distribution::cancelling: return "cancelling";
    default: return "centred";
  }
}

Result<DistributedShape> split_distribution(std::string_view shape, const std::vector<std::string_view>& known) {
  const auto [fields, words] = split_words(shape);
  DistributedShape result{fields, Distribution::centred, {}};
  for (const auto word : words) {
    if (std::find(known.begin(), known.end(), word) != known.end()) {
      if (!result.words.empty() || result.distribution != Distribution::centred)
        return invalid_input("'" + std::string(word) + "' in shape '" + std::string(shape.substr(0, 200)) + "' should stand alone, and before the distribution");
      result.words.push_back(word);
      continue;
    }
    const auto* named = std::find_if(std::begin(all_distributions) + 1, std::end(all_distributions), [&](Distribution d) { return to_text(d) == word; });
    if (named == std::end(all_distributions) || result.distribution != Distribution::centred) {
      std::string names;
      for (const auto name : known) names += std::string(name) + ", ";
      return invalid_input("'" + std::string(word.substr(0, 60)) + "' in shape '" + std::string(shape.substr(0, 200)) + "' should be one of " + names +
                           "uniform, wide, cancelling; without a word summands are uniform in [-1, 1)");
    }
    result.distribution = *named;
  }
  return result;
}

std::string distribution_suffix(Distribution distribution) {
  return distribution == Distribution::centred ? "" : "_" + std::string(to_text(distribution));
}

FillSpec summand_fill(const Inputs& inputs, std::string stream, DataType stored, DataType accumulator, std::int64_t elements,
                      std::int64_t terms, Distribution distribution) {
  FillSpec fill;
  fill.seed = inputs.seed;
  fill.stream = std::move(stream);
  if (inputs.fill == InputFill::exact) {
    fill.kind = FillSpec::Kind::integers;
    fill.limit = 8;
    // A nonzero integer of [-8, 8] has magnitude 4.5 on average. A quarter of the limit leaves over 1000 standard
    // deviations for long sums in f32; short ones stay exact at any density: 8 * terms <= 2^22. A narrow accumulator takes
    // a sixty-fourth, because few nonzero terms scatter more.
    double limit = 0x1p24 / 4;
    if (accumulator == DataType::f64) limit = 0x1p53 / 4;
    if (accumulator == DataType::f16) limit = 0x1p11 / 64;
    if (accumulator == DataType::bf16) limit = 0x1p8 / 64;
    fill.density = std::min(1.0, limit / (4.5 * static_cast<double>(terms)));
    return fill;
  }
  switch (inputs.fill == InputFill::wide ? Distribution::wide : distribution) {
    // 24 random mantissa bits, like a normal deviate, at a sixth of the time: drawing the inputs of a large sum would
    // otherwise take longer than everything that is measured with them.
    case Distribution::centred: fill.kind = FillSpec::Kind::uniform; break;
    case Distribution::uniform: fill.kind = FillSpec::Kind::positive; break;
    case Distribution::wide:
      fill.kind = FillSpec::Kind::wide;
      fill.limit = 30;
      if (stored == DataType::f16) fill.limit = 7, fill.scale = 0x1p-3;  // its normal numbers, and no sum of 2^11 overflows
      break;
    case Distribution::cancelling:
      fill.kind = FillSpec::Kind::cancelling;
      fill.limit = elements / 4 * 2;
      break;
  }
  return fill;
}

}  // namespace detbench::reduction
