#include "kernels/tensor/product_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

constexpr double tf32_roundoff = 0x1p-11;

/// The bound per output grows with K^1.5, the error of TF32 inputs with K^0.5 only: in long sums it hides. As a norm over
/// many outputs it does not: on normal deviates TF32 gives 2e-4 to 4e-4 for any K, f32 sums of up to 10^6 products in any
/// order below 2e-5.
constexpr double strict_relative_l2 = 0x1p-14;

double stored_roundoff(DataType type) {
  switch (type) {
    case DataType::bf16: return 0x1p-8;
    case DataType::f16: return 0x1p-11;
    default: return 0;  // f32: the last rounding of the sum is counted among its K
  }
}

std::uint64_t rounded_bits(DataType type, double value) {
  switch (type) {
    case DataType::bf16: return bf16_from_float(static_cast<float>(value));
    case DataType::f16: return f16_from_float(static_cast<float>(value));
    default: return float_bits(static_cast<float>(value));
  }
}

std::uint64_t bits_at(const std::byte* data, DataType type, std::int64_t index) {
  const auto size = size_of(type);
  std::uint64_t bits = 0;  // little-endian hosts only, as the digest
  std::memcpy(&bits, data + static_cast<std::size_t>(index) * size, size);
  return bits;
}

double value_of(DataType type, std::uint64_t bits) {
  switch (type) {
    case DataType::bf16: return float_from_bf16(static_cast<std::uint16_t>(bits));
    case DataType::f16: return float_from_f16(static_cast<std::uint16_t>(bits));
    default: return float_from_bits(static_cast<std::uint32_t>(bits));
  }
}

/// Index of the first word with all exponent bits set (infinite or NaN), or -1. Whole blocks are tested without a
/// branch, because every output of every verified arm passes here.
template <class Word>
std::int64_t first_with(Word exponent, const std::byte* data, std::int64_t elements) {
  constexpr std::int64_t block = 4096;
  const auto* words = reinterpret_cast<const Word*>(data);
  for (std::int64_t first = 0; first < elements; first += block) {
    const auto last = std::min(elements, first + block);
    Word found = 0;
    for (std::int64_t i = first; i < last; ++i) found |= static_cast<Word>((words[i] & exponent) == exponent);
    if (found == 0) continue;
    for (std::int64_t i = first; i < last; ++i)
      if ((words[i] & exponent) == exponent) return i;
  }
  return -1;
}

std::int64_t first_not_finite(const std::byte* data, DataType type, std::int64_t elements) {
  switch (type) {
    case DataType::bf16: return first_with<std::uint16_t>(0x7F80, data, elements);
    case DataType::f16: return first_with<std::uint16_t>(0x7C00, data, elements);
    default: return first_with<std::uint32_t>(0x7F800000, data, elements);
  }
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string place(const CheckedOutput& output, std::int64_t index) {
  std::string text;
  for (std::size_t d = output.shape.size(); d-- > 0;) {
    text = std::to_string(index % output.shape[d]) + (text.empty() ? "" : ",") + text;
    index /= output.shape[d];
  }
  return output.role + "[" + text + "]";
}

class ProductSumReference final : public Reference {
 public:
  ProductSumReference(const Inputs& inputs, const PathPrecision& precision, std::vector<CheckedOutput> outputs)
      : inputs_(inputs), precision_(precision), expected_(std::move(outputs)) {}

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    if (outputs.size() != expected_.size())
      return failure("the reference has " + std::to_string(expected_.size()) + " outputs, the algorithm " +
                     std::to_string(outputs.size()));
    Findings findings;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      const auto& spec = outputs[i].spec;
      if (spec.shape != expected_[i].shape || spec.type != expected_[i].type)
        return failure("output " + spec.role + " has another shape or type than the reference's " + expected_[i].role);
      if (auto status = check_one(algorithm, expected_[i], outputs[i], findings); !status)
        return tl::unexpected(status.error());
    }
    return findings.conclude(precision_.strict_f32, inputs_.fill == InputFill::rounding);
  }

 private:
  struct Findings {
    Verification result;
    double error_squares = 0, answer_squares = 0;
    double lower_ratio = 0;       ///< largest |error| over what TF32 would allow
    bool equal = true;            ///< exact fill: every value equal so far
    std::string first_wrong;      ///< "dst[0,1,2,3] is 5, should be 4"
    std::string refused;          ///< a reason that needs no bound

    Verification conclude(bool strict_f32, bool full_mantissas) {
      result.relative_l2 = answer_squares > 0 ? std::sqrt(error_squares / answer_squares) : std::sqrt(error_squares);
      if (!refused.empty())
        result.reason = refused;
      else if (!equal)
        result.reason = "not equal under the exact fill: " + first_wrong;
      else if (!(result.bound_ratio <= 1))
        result.reason = strict_f32 && lower_ratio <= 1
                            ? "lower precision than asked: within TF32's bound but " + number(result.bound_ratio) +
                                  " times f32's; " + first_wrong
                            : "wrong by " + number(result.bound_ratio) + " times the bound: " + first_wrong;
      else if (strict_f32 && full_mantissas && answer_squares > 0 && result.relative_l2 > strict_relative_l2)
        result.reason = "lower precision than asked: a relative error of " + number(result.relative_l2) +
                        " where f32 sums stay below " + number(strict_relative_l2);
      result.passed = result.reason.empty();
      return result;
    }
  };

  Status check_one(const Algorithm& algorithm, const CheckedOutput& expected, const Tensor& tensor, Findings& f) const {
    std::vector<std::byte> gathered;
    const auto* data = static_cast<const std::byte*>(tensor.region.data);
    if (!tensor.spec.is_canonical()) {
      gather_canonical(tensor, gathered);
      data = gathered.data();
    }
    const auto elements = element_count(expected.shape);
    f.result.outputs += static_cast<std::uint64_t>(elements);
    f.result.checked += expected.indices.size();
    if (const auto at = first_not_finite(data, expected.type, elements); at >= 0 && f.refused.empty())
      f.refused = place(expected, at) + " is " + number(value_of(expected.type, bits_at(data, expected.type, at))) +
                  ": not written, or made from uninitialised memory";

    const bool demand_equality = inputs_.fill == InputFill::exact && algorithm.sum_of_products &&
                                 algorithm.bound_constant <= std::ldexp(1.0, 24 - integer_bits(expected.type));
    // A transform (Winograd, FFT) mixes the sums of neighbours, so its error is bounded by the largest of them.
    ProductSum largest;
    if (!algorithm.sum_of_products)
      for (const auto& sum : expected.sums) {
        largest.magnitude = std::max(largest.magnitude, sum.magnitude);
        largest.terms = std::max(largest.terms, sum.terms);
      }
    bool any_nonzero = false, should_be_nonzero = false;
    for (std::size_t i = 0; i < expected.indices.size(); ++i) {
      const auto& sum = expected.sums[i];
      const auto bits = bits_at(data, expected.type, expected.indices[i]);
      const double got = value_of(expected.type, bits), error = std::abs(got - sum.value);
      any_nonzero = any_nonzero || got != 0;
      should_be_nonzero = should_be_nonzero || sum.value != 0;
      f.error_squares += error * error;
      f.answer_squares += sum.value * sum.value;
      f.result.max_ulp = std::max(f.result.max_ulp, ulp_distance(expected.type, bits, rounded_bits(expected.type, sum.value)));
      if (demand_equality) {
        if (got != sum.value && f.equal) {
          f.equal = false;
          f.first_wrong = place(expected, expected.indices[i]) + " is " + number(got) + ", should be " + number(sum.value);
        }
        continue;
      }
      if (error == 0) continue;
      ProductSum scale = algorithm.sum_of_products ? sum : largest;
      scale.value = sum.value;
      const double ratio = error / bound(algorithm, expected.type, scale, precision_.product_roundoff);
      // Negated, so that a NaN counts as the worst.
      if (!(ratio <= f.result.bound_ratio)) {
        f.result.bound_ratio = ratio;
        f.first_wrong = place(expected, expected.indices[i]) + " is " + number(got) + ", should be " + number(sum.value);
      }
      f.lower_ratio = std::max(f.lower_ratio, error / bound(algorithm, expected.type, scale, 2 * tf32_roundoff));
    }
    if (should_be_nonzero && !any_nonzero && f.refused.empty())
      f.refused = "every checked element of " + expected.role + " is zero, and should not be";
    return {};
  }

  static double bound(const Algorithm& algorithm, DataType stored, const ProductSum& sum, double roundoff) {
    const double terms = static_cast<double>(sum.terms);
    const double accumulator = algorithm.sum_of_products ? std::max(1.0, algorithm.bound_constant) : 1.0;
    const double factor = std::min(algorithm.bound_constant * (4 + 2 * std::sqrt(terms)), accumulator * terms);
    // Second-order terms of the a-priori bound, and results below the smallest normal number.
    return factor * roundoff * sum.magnitude * (1 + terms * roundoff) + stored_roundoff(stored) * std::abs(sum.value) * 1.01 +
           (terms + 1) * 0x1p-149;
  }

  Inputs inputs_;
  PathPrecision precision_;
  std::vector<CheckedOutput> expected_;
};

}  // namespace

PathPrecision path_precision(const ProductTypes& types) {
  if (types.tf32) return {2 * tf32_roundoff, false};  // both factors are rounded to TF32
  return {0x1p-24, types.storage == DataType::f32};
}

Result<std::unique_ptr<Reference>> make_product_sum_reference(const Inputs& inputs, const PathPrecision& precision,
                                                              std::vector<CheckedOutput> outputs) {
  if (inputs.fill == InputFill::exact)
    for (const auto& output : outputs) {
      const double room = std::ldexp(1.0, integer_bits(output.type));
      for (const auto& sum : output.sums)
        if (sum.magnitude > room)
          return failure("the exact fill is not exact: the products of an output of " + output.role + " add up to " +
                         number(sum.magnitude) + ", more than " + number(room));
    }
  return std::make_unique<ProductSumReference>(inputs, precision, std::move(outputs));
}

}  // namespace detbench
