#include "kernels/reduction/sums_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench::reduction {
namespace {

std::string number(long double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9Lg", value);
  return text;
}

/// Half a unit in the last place of 1.
long double roundoff_of(DataType type) {
  switch (type) {
    case DataType::f64: return 0x1p-53L;
    case DataType::f16: return 0x1p-11L;
    case DataType::bf16: return 0x1p-8L;
    default: return 0x1p-24L;
  }
}

/// The bits of a value of the type.
std::uint64_t bits_as(DataType type, double value) {
  switch (type) {
    case DataType::f64: return bits_of(value);
    case DataType::f16: return f16_from_float(static_cast<float>(value));
    case DataType::bf16: return bf16_from_float(static_cast<float>(value));
    default: return bits_of(static_cast<float>(value));
  }
}

class SumsReference final : public Reference {
 public:
  SumsReference(const Inputs& inputs, DataType type, std::vector<ReferenceSum> sums)
      : inputs_(inputs), type_(type), sums_(std::move(sums)) {}

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    if (outputs.size() != 1) return failure("a sum has 1 output, not " + std::to_string(outputs.size()));
    const TensorSpec& spec = outputs[0].spec;
    if (spec.type != type_ || element_count(spec.shape) != static_cast<std::int64_t>(sums_.size()) ||
        !spec.is_canonical())
      return failure("output " + spec.role + " has another type, shape or layout than the reference's");
    const long double roundoff = roundoff_of(type_), exact_limit = 1 / roundoff;
    const bool exact = inputs_.fill == InputFill::exact && algorithm.sum_of_products;
    Verification found;
    found.checked = found.outputs = sums_.size();
    Accuracy accuracy;
    long double error_squares = 0, answer_squares = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const ReferenceSum& sum = sums_[i];
      if (exact && sum.magnitude() > exact_limit)
        return failure("the exact fill is not exact here: magnitudes add up to " + number(sum.magnitude()));
      const double out = element_as_double(outputs[0], static_cast<std::int64_t>(i));
      const long double answer = sum.value(), rounded = sum.rounded_to(type_);
      const std::string where = spec.role + "[" + std::to_string(i) + "] is " + number(out) + ", should be " + number(answer);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(type_, bits_as(type_, out), bits_as(type_, static_cast<double>(rounded))));
      if (!std::isfinite(out)) {
        if (found.reason.empty()) found.reason = where + ": not written, or made from uninitialised memory";
        error_squares = accuracy.error_ulp = accuracy.relative_error = HUGE_VAL;
        continue;
      }
      const long double error = std::abs(sum.error_of(out));
      error_squares += error * error;
      answer_squares += answer * answer;
      accuracy.error_ulp = std::max(accuracy.error_ulp, static_cast<double>(error / sum.unit_at(type_)));
      if (answer != 0) accuracy.relative_error = std::max(accuracy.relative_error, static_cast<double>(error / std::abs(answer)));
      if (exact) {
        if (error != 0 && found.reason.empty()) found.reason = "not equal under the exact fill: " + where;
      } else {
        const long double terms = static_cast<long double>(sum.terms());
        const long double steps = std::min(algorithm.bound_constant * (4 + 2 * std::sqrt(terms)), terms);
        const long double bound = steps * roundoff * sum.magnitude();
        const double ratio = error == 0 ? 0 : bound > 0 ? static_cast<double>(error / bound) : HUGE_VAL;
        if (ratio > 1 && found.reason.empty())
          found.reason = "wrong by " + number(ratio) + " times the bound: " + where;
        found.bound_ratio = std::max(found.bound_ratio, ratio);
      }
    }
    found.relative_l2 =
        static_cast<double>(answer_squares > 0 ? std::sqrt(error_squares / answer_squares) : std::sqrt(error_squares));
    if (sums_.size() == 1 && sums_[0].value() != 0)
      accuracy.condition = static_cast<double>(sums_[0].magnitude() / std::abs(sums_[0].value()));
    found.accuracy = accuracy;
    found.passed = found.reason.empty();
    return found;
  }

 private:
  Inputs inputs_;
  DataType type_;
  std::vector<ReferenceSum> sums_;
};

}  // namespace

std::unique_ptr<Reference> make_sums_reference(const Inputs& inputs, DataType type, std::vector<ReferenceSum> sums) {
  return std::make_unique<SumsReference>(inputs, type, std::move(sums));
}

}  // namespace detbench::reduction
