#include "kernels/reduction/sums_reference.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "kernels/tensor/compare.hpp"
#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::reduction {
namespace {

std::string number(long double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9Lg", value);
  return text;
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
    return type_ == DataType::f64 ? compare(algorithm, static_cast<const double*>(outputs[0].region.data))
                                  : compare(algorithm, static_cast<const float*>(outputs[0].region.data));
  }

 private:
  template <class T>
  Result<Verification> compare(const Algorithm& algorithm, const T* out) const {
    const long double roundoff = sizeof(T) == 8 ? 0x1p-53L : 0x1p-24L, exact_limit = 0.5L / roundoff * 2;
    const bool exact = inputs_.fill == InputFill::exact && algorithm.sum_of_products;
    Verification found;
    found.checked = found.outputs = sums_.size();
    long double error_squares = 0, answer_squares = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const ReferenceSum& sum = sums_[i];
      if (exact && sum.magnitude() > exact_limit)
        return failure("the exact fill is not exact here: magnitudes add up to " + number(sum.magnitude()));
      const long double answer = sum.value(), error = std::abs(static_cast<long double>(out[i]) - answer);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(type_, bits_of(out[i]), bits_of(static_cast<T>(answer))));
      error_squares += error * error;
      answer_squares += answer * answer;
      const std::string where = "dst[" + std::to_string(i) + "] is " + number(out[i]) + ", should be " + number(answer);
      if (!std::isfinite(out[i])) {
        if (found.reason.empty()) found.reason = where + ": not written, or made from uninitialised memory";
      } else if (exact) {
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
    found.passed = found.reason.empty();
    return found;
  }

  Inputs inputs_;
  DataType type_;
  std::vector<ReferenceSum> sums_;
};

}  // namespace

std::unique_ptr<Reference> make_sums_reference(const Inputs& inputs, DataType type, std::vector<ReferenceSum> sums) {
  return std::make_unique<SumsReference>(inputs, type, std::move(sums));
}

FillSpec summand_fill(const Inputs& inputs, std::string stream, DataType type, std::int64_t terms) {
  FillSpec fill;
  fill.seed = inputs.seed;
  fill.stream = std::move(stream);
  switch (inputs.fill) {
    case InputFill::exact: {
      fill.kind = FillSpec::Kind::integers;
      fill.limit = 8;
      // A nonzero integer of [-8, 8] has magnitude 4.5 on average. A quarter of the limit leaves over 1000 standard
      // deviations for long sums; short ones stay exact at any density: 8 * terms <= 2^22.
      const double limit = type == DataType::f64 ? 0x1p53 : 0x1p24;
      fill.density = std::min(1.0, limit / 4 / (4.5 * static_cast<double>(terms)));
      break;
    }
    case InputFill::wide:
      fill.kind = FillSpec::Kind::wide;
      fill.limit = 30;
      break;
    // 24 random mantissa bits, like a normal deviate, at a sixth of the time: drawing the inputs of a large sum would
    // otherwise take longer than everything that is measured with them.
    case InputFill::rounding: fill.kind = FillSpec::Kind::uniform; break;
  }
  return fill;
}

}  // namespace detbench::reduction
