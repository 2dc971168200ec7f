// The problem side of a sum of products: its types, how its inputs are filled, which of its outputs are checked.
#include <algorithm>
#include <cmath>
#include <new>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {
namespace {

/// SplitMix64: the sample only has to be spread out and repeatable; values come from Philox.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

std::string to_text(const ProductTypes& types) {
  std::string text = std::string(to_text(types.storage)) + "_f32_" + (types.tf32 ? "tf32" : "strict");
  if (types.weight_gradient != DataType::f32) text += "_dw" + std::string(to_text(types.weight_gradient));
  return text;
}

Result<ProductTypes> parse_product_types(std::string_view text, bool of_weight_gradient) {
  for (const auto& types : {ProductTypes{DataType::f32, false}, ProductTypes{DataType::f32, true},
                            ProductTypes{DataType::f16, false}, ProductTypes{DataType::bf16, false}})
    if (to_text(types) == text) return types;
  for (const auto narrow : {DataType::f16, DataType::bf16})
    if (const ProductTypes types{narrow, false, narrow}; to_text(types) == text) {
      if (of_weight_gradient) return types;
      return invalid_input("types '" + std::string(text) + "' have a meaning in gradients of weights only: _dw is how the gradient is stored");
    }
  return invalid_input("'" + std::string(text.substr(0, 60)) +
                       "' are no types of sums of products: f32_f32_strict, f32_f32_tf32, f16_f32_strict and bf16_f32_strict are" +
                       (of_weight_gradient ? ", and with a 16-bit gradient f16_f32_strict_dwf16 and bf16_f32_strict_dwbf16" : ""));
}

DataType narrowest_type(const ProductTypes& types, DataType output) { return types.tf32 ? DataType::f16 : output; }

int integer_bits(DataType type) {
  switch (type) {
    case DataType::bf16: return 8;
    case DataType::f16: return 11;
    case DataType::f64: return 53;
    default: return 24;
  }
}

FillSpec product_fill(const Inputs& inputs, std::string stream, std::int64_t terms, DataType input, DataType narrowest) {
  FillSpec spec;
  spec.seed = inputs.seed;
  spec.stream = std::move(stream);
  switch (inputs.fill) {
    case InputFill::rounding: spec.kind = FillSpec::Kind::normal; return spec;
    case InputFill::wide:
      spec.kind = FillSpec::Kind::wide;
      spec.limit = 12;
      return spec;
    case InputFill::exact: break;
  }
  spec.kind = FillSpec::Kind::integers;
  const double room = std::ldexp(1.0, integer_bits(narrowest)), k = static_cast<double>(std::max<std::int64_t>(terms, 1));
  // Both factors are at most `limit`, so a sum of k products is at most k limit^2: no sparsity is needed while that fits.
  const double limit = std::min(std::floor(std::sqrt(room / k)), std::ldexp(1.0, std::min(integer_bits(input), 12)));
  if (limit >= 1) {
    spec.limit = static_cast<std::int64_t>(limit);
    return spec;
  }
  // Factors of +-1, each non-zero with probability d: the number of non-zero products of an output is binomial with mean
  // m = k d^2 and deviation below sqrt(m); m + 8 sqrt(m) = room leaves less than 1e-14 per output.
  const double root = -4 + std::sqrt(16 + room);
  spec.limit = 1;
  spec.density = std::sqrt(root * root / k);
  return spec;
}

std::vector<std::int64_t> sample_outputs(const Shape& shape, std::int64_t limit, std::uint64_t seed) {
  const auto elements = element_count(shape);
  std::vector<std::int64_t> indices;
  if (elements <= limit) {
    for (std::int64_t i = 0; i < elements; ++i) indices.push_back(i);
    return indices;
  }
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(elements);
  for (std::int64_t i = 0; i < limit; ++i) {
    const bool at_edge = i % 3 == 0;
    std::int64_t index = 0;
    for (auto size : shape) {
      const auto random = next_random(state);
      auto along = static_cast<std::int64_t>((random >> 8) % static_cast<std::uint64_t>(size));
      if (at_edge && (random & 3) == 0) along = 0;
      if (at_edge && (random & 3) == 1) along = size - 1;
      index = index * size + along;
    }
    indices.push_back(index);
  }
  indices.push_back(0);
  indices.push_back(elements - 1);
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

std::int64_t checked_output_limit(std::int64_t outputs, std::int64_t terms) {
  constexpr std::int64_t products = 4'000'000, fewest = 256, all_below = 4096;
  const std::int64_t affordable = products / std::max<std::int64_t>(terms, 1);
  return std::min(outputs, std::clamp(affordable, fewest, all_below));
}

Result<std::vector<float>> filled_values(DataType type, const Shape& shape, const FillSpec& spec) {
  if (type != DataType::f32 && type != DataType::bf16 && type != DataType::f16)
    return unsupported("a reference over inputs of type " + std::string(to_text(type)));
  const auto elements = static_cast<std::size_t>(element_count(shape));
  try {
    std::vector<float> values(elements);
    if (type == DataType::f32) {
      const TensorSpec plain{spec.stream, type, shape, canonical_layout(shape)};
      if (auto status = fill_on_host({plain, {values.data(), plain.bytes()}}, spec); !status)
        return tl::unexpected(status.error());
      return values;
    }
    std::vector<std::uint16_t> narrow(elements);
    const TensorSpec plain{spec.stream, type, shape, canonical_layout(shape)};
    if (auto status = fill_on_host({plain, {narrow.data(), plain.bytes()}}, spec); !status)
      return tl::unexpected(status.error());
    for (std::size_t i = 0; i < elements; ++i)
      values[i] = type == DataType::bf16 ? float_from_bf16(narrow[i]) : float_from_f16(narrow[i]);
    return values;
  } catch (const std::bad_alloc&) {
    return failure("no memory for " + std::to_string(elements) + " values of a reference", Reason::Kind::out_of_memory);
  }
}

}  // namespace detbench
