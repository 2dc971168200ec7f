// Simple operations whose tensors may be stored in 16 bits: arithmetic in f32, each stored element rounded once at the end.
#pragma once

#include <bit>

#include "kernels/simple_operation.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {

/// Storage of "f32_f32_strict", "f16_f32_strict" and "bf16_f32_strict"; refuses other types.
inline Result<DataType> parse_storage(const Problem& problem) {
  const auto types = parse_product_types(problem.types);
  if (!types || types->tf32)
    return invalid_input("types '" + problem.types.substr(0, 60) + "' do not exist for " + problem.op + "; f32_f32_strict, f16_f32_strict and bf16_f32_strict do");
  return types->storage;
}

/// Relative and absolute error of rounding to a type beyond f32's: bf16 has 8 bits, f16 has 11, and below 2^-14 a fixed
/// distance of 2^-24.
struct StorageRounding {
  double relative = 0, absolute = 0;
};
constexpr StorageRounding storage_rounding(DataType type) {
  if (type == DataType::f16) return {0x1p-11, 0x1p-25};
  if (type == DataType::bf16) return {0x1p-8, 0x1p-134};
  return {};
}

/// Widens the bounds by one rounding to the type that the elements are stored in.
inline void add_storage_rounding(Expected& e, DataType type) {
  const auto [relative, absolute] = storage_rounding(type);
  if (relative == 0) return;
#pragma omp parallel for schedule(static) if (e.value.size() > 65536)
  for (std::size_t i = 0; i < e.value.size(); ++i) {
    const double alternative = e.alternative.empty() ? 0.0 : std::abs(e.alternative[i]);
    e.bound[i] += relative * (std::max(std::abs(e.value[i]), alternative) + e.bound[i]) + absolute;
  }
}

/// One output's fp64 answer, looked at where it lies: a gigabyte of it is not copied for every arm.
struct ExpectedView {
  std::span<const double> value, bound, alternative;
  ExpectedView(const Expected& e) : value(e.value), bound(e.bound), alternative(e.alternative) {}
};

/// What a part of the elements of one output shows.
struct ComparedPart {
  double squared_error = 0, squared_norm = 0, bound_ratio = 0;
  std::uint64_t max_ulp = 0;
  std::int64_t first_bad = -1;
  double bad_value = 0, bad_want = 0, bad_bound = 0;
};

/// Elements first to last of an output whose canonical bytes are given.
inline ComparedPart compare_part(const ExpectedView& e, DataType type, const std::byte* bytes, double bound_constant, std::int64_t first, std::int64_t last) {
  ComparedPart part;
  for (auto i = first; i < last; ++i) {
    const auto at = static_cast<std::size_t>(i);
    std::uint32_t bits = 0;
    float actual = 0;
    if (type == DataType::f32) {
      bits = reinterpret_cast<const std::uint32_t*>(bytes)[at];
      actual = std::bit_cast<float>(bits);
    } else {
      const auto word = reinterpret_cast<const std::uint16_t*>(bytes)[at];
      bits = word;
      actual = type == DataType::f16 ? float_from_f16(word) : float_from_bf16(word);
    }
    double want = e.value[at], error = std::abs(actual - want);
    if (!e.alternative.empty() && std::abs(actual - e.alternative[at]) < error) {
      want = e.alternative[at];
      error = std::abs(actual - want);
    }
    part.squared_error += error * error;
    part.squared_norm += want * want;
    const auto rounded = static_cast<float>(want);
    const std::uint32_t right = type == DataType::f32   ? std::bit_cast<std::uint32_t>(rounded)
                                : type == DataType::f16 ? f16_from_float(rounded)
                                                        : bf16_from_float(rounded);
    part.max_ulp = std::max(part.max_ulp, ulp_distance(type, bits, right));
    // A NaN compares false with everything, so the test is for success.
    const double bound = bound_constant * e.bound[at];
    const bool good = error <= bound;
    part.bound_ratio = std::max(part.bound_ratio, bound > 0 ? error / bound : (good ? 0.0 : 2.0));
    if (good || part.first_bad >= 0) continue;
    part.first_bad = i, part.bad_value = actual, part.bad_want = want, part.bad_bound = bound;
  }
  return part;
}

/// compare_with_expected() for outputs in f32, f16 and bf16. Distances in units of the last place are the stored type's.
inline Result<Verification> compare_stored(std::span<const ExpectedView> expected, std::span<const Tensor> outputs, double bound_constant = 1.0) {
  // Fixed, so that sums of doubles do not depend on how many threads there are.
  constexpr std::int64_t piece = 1 << 15;
  if (outputs.size() != expected.size())
    return invalid_input(std::to_string(outputs.size()) + " outputs were given where " + std::to_string(expected.size()) + " are expected");
  Verification found;
  double squared_error = 0, squared_norm = 0;
  std::vector<std::byte> bytes;
  for (std::size_t t = 0; t < outputs.size(); ++t) {
    const auto& e = expected[t];
    const auto& spec = outputs[t].spec;
    const auto elements = static_cast<std::int64_t>(e.value.size());
    if ((spec.type != DataType::f32 && spec.type != DataType::f16 && spec.type != DataType::bf16) || element_count(spec.shape) != elements)
      return invalid_input("output '" + spec.role + "' is not a tensor of " + std::to_string(elements) + " elements in f32, f16 or bf16");
    gather_canonical(outputs[t], bytes);
    std::vector<ComparedPart> parts(static_cast<std::size_t>((elements + piece - 1) / piece));
#pragma omp parallel for schedule(static) if (elements > 2 * piece)
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const auto first = static_cast<std::int64_t>(p) * piece;
      parts[p] = compare_part(e, spec.type, bytes.data(), bound_constant, first, std::min(first + piece, elements));
    }
    for (const auto& part : parts) {
      squared_error += part.squared_error, squared_norm += part.squared_norm;
      found.max_ulp = std::max(found.max_ulp, part.max_ulp);
      found.bound_ratio = std::max(found.bound_ratio, part.bound_ratio);
      if (part.first_bad >= 0 && found.reason.empty())
        found.reason = spec.role + "[" + std::to_string(part.first_bad) + "] is " + std::to_string(part.bad_value) + ", should be " +
                       std::to_string(part.bad_want) + " within " + std::to_string(part.bad_bound);
    }
    found.checked += e.value.size();
  }
  found.outputs = found.checked;
  found.passed = found.reason.empty();
  found.relative_l2 = squared_norm > 0 ? std::sqrt(squared_error / squared_norm) : std::sqrt(squared_error);
  return found;
}

/// Every input of a problem as the fill gives it, widened.
inline Result<std::vector<std::vector<double>>> reference_inputs(const Operation& operation, const Problem& problem, const std::vector<TensorSpec>& specs,
                                                                 const Inputs& inputs) {
  std::vector<std::vector<double>> values;
  for (const auto& spec : specs) {
    const auto filling = operation.fill(problem, spec, inputs);
    if (!filling) return tl::unexpected(filling.error());
    const auto filled = filled_values(spec.type, spec.shape, *filling);
    if (!filled) return tl::unexpected(filled.error());
    values.emplace_back(filled->begin(), filled->end());
  }
  return values;
}

/// SimpleOperation with the outputs' own types: what describe() evaluates is the unrounded answer.
class StoredOperation : public SimpleOperation {
 public:
  using SimpleOperation::SimpleOperation;
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    const auto values = reference_inputs(*this, problem, c->inputs, inputs);
    if (!values) return tl::unexpected(values.error());
    auto expected = c->evaluate(*values);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // With the exact fill every sum of products has one right answer, and 16 bits hold it.
      if (inputs.fill == InputFill::exact && has_exact_fill()) std::fill(expected[i].bound.begin(), expected[i].bound.end(), 0.0);
      else add_storage_rounding(expected[i], c->outputs[i].type);
    }
    return std::make_unique<Answer>(std::move(expected));
  }

 private:
  struct Answer final : Reference {
    explicit Answer(std::vector<Expected> e) : expected(std::move(e)) {}
    Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
      return compare_stored(std::vector<ExpectedView>(expected.begin(), expected.end()), outputs, algorithm.bound_constant);
    }
    std::vector<Expected> expected;
  };
};

}  // namespace detbench
