#include "kernels/fused_convolution/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/convolution/reference.hpp"
#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

constexpr double relu6_top = 6, f32_roundoff = 0x1p-24, exact_in_f32 = 0x1p24;

/// As for convolutions (product_sums.cpp): TF32 shows in the norm where single bounds are too wide to see it.
constexpr double strict_relative_l2 = 0x1p-14;

double stored_roundoff(DataType type) {
  switch (type) {
    case DataType::bf16: return 0x1p-8;
    case DataType::f16: return 0x1p-11;
    default: return 0;
  }
}

std::uint32_t bits_at(const std::byte* data, DataType type, std::size_t index) {
  std::uint32_t bits = 0;  // little-endian hosts only, as the digest
  std::memcpy(&bits, data + index * size_of(type), size_of(type));
  return bits;
}

double value_of(DataType type, std::uint32_t bits) {
  switch (type) {
    case DataType::bf16: return float_from_bf16(static_cast<std::uint16_t>(bits));
    case DataType::f16: return float_from_f16(static_cast<std::uint16_t>(bits));
    default: return float_from_bits(bits);
  }
}

std::uint32_t rounded_bits(DataType type, double value) {
  switch (type) {
    case DataType::bf16: return bf16_from_float(static_cast<float>(value));
    case DataType::f16: return f16_from_float(static_cast<float>(value));
    default: return float_bits(static_cast<float>(value));
  }
}

/// One output held against its answer.
struct Comparison {
  Verification result;
  double error_squares = 0, answer_squares = 0;

  void add(const std::string& place, DataType type, std::uint32_t bits, double answer, double bound) {
    const double got = value_of(type, bits), error = std::abs(got - answer);
    ++result.checked;
    error_squares += error * error;
    answer_squares += answer * answer;
    result.max_ulp = std::max(result.max_ulp, ulp_distance(type, bits, rounded_bits(type, answer)));
    const double ratio = error == 0 ? 0 : bound > 0 ? error / bound : 2;
    if (ratio <= result.bound_ratio) return;  // false for a NaN, which counts as the worst
    result.bound_ratio = ratio;
    if (!(ratio <= 1) && result.reason.empty())
      result.reason = place + " is " + std::to_string(got) + ", should be " + std::to_string(answer) + " within " + std::to_string(bound);
  }
  Verification conclude() {
    result.relative_l2 = answer_squares > 0 ? std::sqrt(error_squares / answer_squares) : std::sqrt(error_squares);
    result.passed = result.reason.empty();
    return result;
  }
};

double terms_factor(double terms, double constant) {
  return std::min(constant * (4 + 2 * std::sqrt(terms)), std::max(1.0, constant) * terms);
}

/// dst = relu6(conv + bias), at sampled places.
class BiasRelu6Reference final : public Reference {
 public:
  BiasRelu6Reference(const FusedConvolutionProblem& p, const Inputs& inputs, std::vector<std::int64_t> indices, std::vector<ProductSum> sums,
                     std::vector<float> bias)
      : p_(p), inputs_(inputs), indices_(std::move(indices)), sums_(std::move(sums)), bias_(std::move(bias)) {}

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    const auto spec = tensors_of(p_).outputs[0];
    if (outputs.size() != 1 || outputs[0].spec.type != spec.type || outputs[0].spec.shape != spec.shape)
      return failure("a fused convolution with a bias has one output, dst");
    std::vector<std::byte> bytes;
    gather_canonical(outputs[0], bytes);
    const auto elements = static_cast<std::size_t>(element_count(spec.shape));
    Comparison compared;
    compared.result.outputs = elements;
    for (std::size_t i = 0; i < elements; ++i)
      if (const double y = value_of(spec.type, bits_at(bytes.data(), spec.type, i)); !(y >= 0 && y <= relu6_top)) {
        compared.result.reason = "dst[" + std::to_string(i) + "] is " + std::to_string(y) + ", outside [0, 6]: not written, or not clipped";
        break;
      }
    const auto precision = path_precision(p_.types);
    const bool exact = inputs_.fill == InputFill::exact && algorithm.sum_of_products;
    ProductSum largest;
    for (const auto& sum : sums_) {
      largest.magnitude = std::max(largest.magnitude, sum.magnitude);
      largest.terms = std::max(largest.terms, sum.terms);
    }
    for (std::size_t i = 0; i < indices_.size(); ++i) {
      const auto& sum = sums_[i];
      const double bias = bias_[static_cast<std::size_t>(indices_[i] % p_.oc)], before = sum.value + bias;
      const double answer = std::clamp(before, 0.0, relu6_top);
      // A transform mixes the sums of neighbours: its error is bounded by the largest of them.
      const auto& scale = algorithm.sum_of_products ? sum : largest;
      const double terms = static_cast<double>(scale.terms);
      const double convolved = terms_factor(terms, algorithm.bound_constant) * precision.product_roundoff * scale.magnitude *
                               (1 + terms * precision.product_roundoff);
      const double bound = exact ? 0
                                 : convolved + 2 * f32_roundoff * (sum.magnitude + std::abs(bias)) +
                                       stored_roundoff(spec.type) * answer * 1.01 + (terms + 2) * 0x1p-149;
      compared.add("dst[" + std::to_string(indices_[i]) + "]", spec.type, bits_at(bytes.data(), spec.type, static_cast<std::size_t>(indices_[i])),
                   answer, bound);
    }
    auto found = compared.conclude();
    if (found.passed && precision.strict_f32 && inputs_.fill == InputFill::rounding && found.relative_l2 > strict_relative_l2) {
      found.passed = false;
      found.reason = "lower precision than asked: a relative error of " + std::to_string(found.relative_l2) + " where f32 sums stay below 2^-14";
    }
    return found;
  }

 private:
  FusedConvolutionProblem p_;
  Inputs inputs_;
  std::vector<std::int64_t> indices_;
  std::vector<ProductSum> sums_;
  std::vector<float> bias_;
};

/// dst by the convolution's reference, sums by the dst that was given.
class StatsReference final : public Reference {
 public:
  StatsReference(const FusedConvolutionProblem& p, const Inputs& inputs, std::unique_ptr<Reference> dst)
      : p_(p), inputs_(inputs), dst_(std::move(dst)) {}

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    const auto specs = tensors_of(p_).outputs;
    if (outputs.size() != specs.size()) return failure("a convolution with statistics has the outputs dst, sum and square_sum");
    for (std::size_t i = 1; i < specs.size(); ++i)
      if (outputs[i].spec.type != specs[i].type || outputs[i].spec.shape != specs[i].shape)
        return failure("output " + specs[i].role + " has another shape or type than the reference's");
    auto found = dst_->check(algorithm, outputs.first(1));
    if (!found) return found;

    const auto channels = static_cast<std::size_t>(p_.oc), pixels = static_cast<std::size_t>(p_.pixels());
    std::vector<double> sum(channels), magnitude(channels), squares(channels);
    std::vector<std::byte> bytes;
    gather_canonical(outputs[0], bytes);
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < channels; ++c) {
        const double y = value_of(specs[0].type, bits_at(bytes.data(), specs[0].type, p * channels + c));
        sum[c] += y;
        magnitude[c] += std::abs(y);
        squares[c] += y * y;
      }
    const double terms = static_cast<double>(pixels), factor = terms_factor(terms, 1), stored = stored_roundoff(specs[0].type) * 1.01;
    const bool exact = inputs_.fill == InputFill::exact && algorithm.sum_of_products;
    Comparison compared;
    compared.result = *found;
    compared.result.outputs += 2 * channels;
    for (std::size_t output = 1; output < specs.size(); ++output) {
      gather_canonical(outputs[output], bytes);
      const bool of_squares = output == 2;
      for (std::size_t c = 0; c < channels; ++c) {
        const double scale = of_squares ? squares[c] : magnitude[c];
        double bound = ((of_squares ? factor + 1 : factor) * f32_roundoff + (of_squares ? 2 : 1) * stored) * scale * (1 + terms * f32_roundoff) +
                       (terms + 1) * 0x1p-149;
        if (exact && scale <= exact_in_f32) bound = 0;
        compared.add(specs[output].role + "[" + std::to_string(c) + "]", DataType::f32, bits_at(bytes.data(), DataType::f32, c),
                     of_squares ? squares[c] : sum[c], bound);
      }
    }
    // The norm that the row tells is dst's: a sum of squares would drown it.
    const double of_dst = found->relative_l2;
    auto all = compared.conclude();
    all.relative_l2 = of_dst;
    return all;
  }

 private:
  FusedConvolutionProblem p_;
  Inputs inputs_;
  std::unique_ptr<Reference> dst_;
};

}  // namespace

Result<FillSpec> fused_convolution_fill(const FusedConvolutionProblem& p, const TensorSpec& input, const Inputs& inputs) {
  const std::string stream = std::string(op_name(p.pattern)) + "/" + input.role;
  if (input.role == "bias" && p.pattern == FusedPattern::bias_relu6) {
    FillSpec spec;
    spec.seed = inputs.seed;
    spec.stream = stream;
    spec.kind = inputs.fill == InputFill::exact ? FillSpec::Kind::integers : FillSpec::Kind::normal;
    if (inputs.fill == InputFill::exact) spec.limit = 6, spec.density = 1;
    else spec.scale = 2;
    return spec;
  }
  if (input.role != "src" && input.role != "weights")
    return invalid_input("'" + input.role + "' is no input of " + std::string(op_name(p.pattern)));
  // The bias takes part in the largest sum like eight products would.
  auto spec = product_fill(inputs, stream, p.reduction_length() + 8, input.type, DataType::bf16);
  if (inputs.fill == InputFill::rounding && p.pattern == FusedPattern::bias_relu6 && input.role == "weights")
    spec.scale = std::exp2(-std::round(0.5 * std::log2(static_cast<double>(p.reduction_length()))));
  return spec;
}

Result<std::unique_ptr<Reference>> make_fused_convolution_reference(const FusedConvolutionProblem& p, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  std::vector<std::vector<float>> values;
  for (const auto& spec : tensors.inputs) {
    const auto fill = fused_convolution_fill(p, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto filled = filled_values(spec.type, spec.shape, *fill);
    if (!filled) return tl::unexpected(filled.error());
    values.push_back(std::move(*filled));
  }
  auto checked = checked_convolution(p, tensors.outputs[0], values[0], values[1], inputs.seed);
  if (p.pattern == FusedPattern::bias_relu6)
    return std::make_unique<BiasRelu6Reference>(p, inputs, std::move(checked.indices), std::move(checked.sums), std::move(values[2]));
  auto dst = make_product_sum_reference(inputs, path_precision(p.types), {std::move(checked)});
  if (!dst) return dst;
  return std::make_unique<StatsReference>(p, inputs, std::move(*dst));
}

}  // namespace detbench
