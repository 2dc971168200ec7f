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
  for (std::size_t i = 0; relative > 0 && i < e.value.size(); ++i) {
    const double alternative = e.alternative.empty() ? 0.0 : std::abs(e.alternative[i]);
    e.bound[i] += relative * (std::max(std::abs(e.value[i]), alternative) + e.bound[i]) + absolute;
  }
}

/// compare_with_expected() for outputs in f32, f16 and bf16. Distances in units of the last place are the stored type's.
inline Result<Verification> compare_stored(const std::vector<Expected>& expected, std::span<const Tensor> outputs, double bound_constant = 1.0) {
  if (outputs.size() != expected.size())
    return invalid_input(std::to_string(outputs.size()) + " outputs were given where " + std::to_string(expected.size()) + " are expected");
  std::vector<Tensor> widened(outputs.begin(), outputs.end());
  std::vector<std::vector<float>> wide(outputs.size());
  std::uint64_t narrow_ulp = 0;
  std::vector<Expected> still_f32;
  std::vector<Tensor> f32_outputs;
  for (std::size_t t = 0; t < outputs.size(); ++t) {
    const DataType type = outputs[t].spec.type;
    if (type != DataType::f16 && type != DataType::bf16) {
      still_f32.push_back(expected[t]);
      f32_outputs.push_back(outputs[t]);
      continue;
    }
    std::vector<std::byte> bytes;
    gather_canonical(outputs[t], bytes);
    const auto* words = reinterpret_cast<const std::uint16_t*>(bytes.data());
    wide[t].resize(bytes.size() / 2);
    for (std::size_t i = 0; i < wide[t].size(); ++i) {
      wide[t][i] = type == DataType::f16 ? float_from_f16(words[i]) : float_from_bf16(words[i]);
      if (i >= expected[t].value.size()) continue;
      double want = expected[t].value[i];
      if (!expected[t].alternative.empty() && std::abs(wide[t][i] - expected[t].alternative[i]) < std::abs(wide[t][i] - want)) want = expected[t].alternative[i];
      const auto rounded = static_cast<float>(want);
      narrow_ulp = std::max(narrow_ulp, ulp_distance(type, words[i], type == DataType::f16 ? f16_from_float(rounded) : bf16_from_float(rounded)));
    }
    widened[t].spec.type = DataType::f32;
    widened[t].spec.layout = canonical_layout(widened[t].spec.shape);
    widened[t].region = {wide[t].data(), wide[t].size() * sizeof(float)};
  }
  auto found = compare_with_expected(expected, widened, bound_constant);
  if (!found || still_f32.size() == expected.size()) return found;
  const auto rest = compare_with_expected(still_f32, f32_outputs, bound_constant);
  if (!rest) return rest;
  found->max_ulp = std::max(narrow_ulp, rest->max_ulp);
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
      return compare_stored(expected, outputs, algorithm.bound_constant);
    }
    std::vector<Expected> expected;
  };
};

}  // namespace detbench
