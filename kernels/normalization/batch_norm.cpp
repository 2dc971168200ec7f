#include "kernels/normalization/batch_norm.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/simple_operation.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/product_sums.hpp"

namespace detbench {
namespace {

constexpr double u = unit_roundoff_f32;

/// Sums of M terms in any order with at most sqrt(M)-like growth: METHOD section 2's factor for a sum of M terms.
double sum_factor(double terms) { return u * (4 + 2 * std::sqrt(terms)); }

/// The fp64 forward. Bounds, with M values per channel:
///   mean      sum_factor(M) * sum|x|/M
///   variance  (sum_factor(M) + 4u) * variance + mean_bound^2: an error e of the mean adds exactly e^2, and the rounding of
///             x - mean is relative to it. A one-pass E[x^2] - E[x]^2 does not meet this where the mean is large.
///   y         first-order propagation through scale = gamma/sqrt(variance+epsilon), plus 4 roundings of its summands;
///             clipping to [0, 6] never enlarges an error.
std::vector<Expected> forward_answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in) {
  const auto &x = in[0], &gamma = in[1], &beta = in[2];
  const std::size_t channels = p.channels, m = p.pixels();
  Expected y{std::vector<double>(x.size()), std::vector<double>(x.size()), {}};
  Expected mean{std::vector<double>(channels), std::vector<double>(channels), {}}, variance = mean;
  std::vector<double> sum(channels), magnitude(channels), spread(channels);
  for (std::size_t i = 0; i < x.size(); ++i) sum[i % channels] += x[i], magnitude[i % channels] += std::abs(x[i]);
  for (std::size_t c = 0; c < channels; ++c) {
    mean.value[c] = sum[c] / m;
    mean.bound[c] = sum_factor(m) * magnitude[c] / m;
  }
  for (std::size_t i = 0; i < x.size(); ++i) spread[i % channels] += std::pow(x[i] - mean.value[i % channels], 2);
  std::vector<double> scale(channels), scale_error(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double v = variance.value[c] = spread[c] / m;
    variance.bound[c] = (sum_factor(m) + 4 * u) * v + std::pow(mean.bound[c], 2) + 0x1p-149;
    scale[c] = gamma[c] / std::sqrt(v + static_cast<double>(batch_norm_epsilon));
    scale_error[c] = std::abs(scale[c]) * (0.5 * variance.bound[c] / (v + static_cast<double>(batch_norm_epsilon)) + 3 * u);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    const double value = (x[i] - mean.value[c]) * scale[c] + beta[c];
    y.value[i] = p.relu6 ? std::clamp(value, 0.0, 6.0) : value;
    y.bound[i] = std::abs(x[i] - mean.value[c]) * scale_error[c] + std::abs(scale[c]) * mean.bound[c] +
                 4 * u * (std::abs(x[i] * scale[c]) + std::abs(mean.value[c] * scale[c]) + std::abs(beta[c]));
  }
  return {std::move(y), std::move(mean), std::move(variance)};
}

/// The fp64 backward. Sums as above; where y is within its own rounding of 0 or 6 either side of the ReLU6 mask is right:
/// such an element has two answers, and its share widens the bounds of its channel's sums.
std::vector<Expected> backward_answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in) {
  const auto &x = in[0], &dy = in[1], &mean = in[2], &variance = in[3], &gamma = in[4];
  const std::size_t channels = p.channels;
  const auto m = static_cast<double>(p.pixels());
  std::vector<double> d = dy;
  std::vector<bool> ambiguous(x.size(), false);
  std::vector<double> inverse(channels);
  for (std::size_t c = 0; c < channels; ++c) inverse[c] = 1 / std::sqrt(variance[c] + static_cast<double>(batch_norm_epsilon));
  if (p.relu6)
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i % channels;
      const double scale = gamma[c] * inverse[c], y = (x[i] - mean[c]) * scale + in[5][c];
      const double error = 8 * u * (std::abs(x[i] * scale) + std::abs(mean[c] * scale) + std::abs(in[5][c]));
      ambiguous[i] = std::abs(y) <= error || std::abs(y - 6) <= error;
      if (!(y > 0 && y < 6)) d[i] = 0;
    }
  Expected dx{std::vector<double>(x.size()), std::vector<double>(x.size()), std::vector<double>(x.size())};
  Expected dgamma{std::vector<double>(channels), std::vector<double>(channels), {}}, dbeta = dgamma;
  std::vector<double> gamma_sum(channels), beta_magnitude(channels), gamma_magnitude(channels), beta_doubt(channels), gamma_doubt(channels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    const double distance = x[i] - mean[c];
    dbeta.value[c] += d[i];
    gamma_sum[c] += d[i] * distance;
    beta_magnitude[c] += std::abs(d[i]);
    gamma_magnitude[c] += std::abs(d[i] * distance);
    if (ambiguous[i]) beta_doubt[c] += std::abs(dy[i]), gamma_doubt[c] += std::abs(dy[i] * distance);
  }
  for (std::size_t c = 0; c < channels; ++c) {
    dgamma.value[c] = gamma_sum[c] * inverse[c];
    dbeta.bound[c] = sum_factor(m) * beta_magnitude[c] + beta_doubt[c] + 0x1p-149;
    dgamma.bound[c] = inverse[c] * ((sum_factor(m) + 6 * u) * gamma_magnitude[c] + gamma_doubt[c]) + 0x1p-149;
  }
  const auto slope = [&](std::size_t c) { return inverse[c] * dgamma.value[c] / m; };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    const double factor = gamma[c] * inverse[c], distance = x[i] - mean[c];
    const auto answer = [&](double gradient) { return factor * (gradient - dbeta.value[c] / m - distance * slope(c)); };
    dx.value[i] = answer(d[i]);
    dx.bound[i] = std::abs(factor) * (dbeta.bound[c] / m + std::abs(distance) * inverse[c] * dgamma.bound[c] / m +
                                      8 * u * (std::abs(d[i]) + std::abs(dbeta.value[c]) / m + std::abs(distance * slope(c)))) + 0x1p-149;
    dx.alternative[i] = ambiguous[i] ? answer(d[i] == 0 ? dy[i] : 0) : dx.value[i];
  }
  return {std::move(dx), std::move(dgamma), std::move(dbeta)};
}

std::vector<Expected> answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in) {
  return p.backward ? backward_answers(p, in) : forward_answers(p, in);
}

std::uint16_t stored_bits(DataType type, float value) { return type == DataType::f16 ? f16_from_float(value) : bf16_from_float(value); }

/// The fp64 answers with what is true of some arms only: where activations are stored in 16 bits, the first output is rounded
/// once more; and cuDNN gives the inverse deviation, of which the variance is computed again.
class BatchNormAnswer final : public Reference {
 public:
  BatchNormAnswer(const BatchNormProblem& problem, std::vector<Expected> expected)
      : storage_(problem.storage), backward_(problem.backward), expected_(std::move(expected)) {
    if (storage_ == DataType::f32) return;
    // bf16 has 8 bits, f16 has 11, and below 2^-14 a fixed distance of 2^-24.
    const double relative = storage_ == DataType::f16 ? 0x1p-11 : 0x1p-8, absolute = storage_ == DataType::f16 ? 0x1p-25 : 0x1p-134;
    auto& e = expected_[0];
    for (std::size_t i = 0; i < e.value.size(); ++i) {
      const double alternative = e.alternative.empty() ? 0.0 : std::abs(e.alternative[i]);
      e.bound[i] += relative * (std::max(std::abs(e.value[i]), alternative) + e.bound[i]) + absolute;
    }
  }
  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    if (backward_ || !algorithm.provider.starts_with("cudnn")) return compare(expected_, outputs);
    // 1/sqrt within 2 units (CUDA's approximate one), its square and the reciprocal rounded: within 16 u of variance + epsilon.
    auto through_inverse = expected_;
    auto& variance = through_inverse[2];
    for (std::size_t c = 0; c < variance.value.size(); ++c)
      variance.bound[c] += 16 * u * (variance.value[c] + static_cast<double>(batch_norm_epsilon));
    return compare(through_inverse, outputs);
  }

 private:
  Result<Verification> compare(const std::vector<Expected>& expected, std::span<const Tensor> outputs) const {
    if (storage_ == DataType::f32) return compare_with_expected(expected, outputs);
    if (outputs.size() != expected.size() || outputs[0].spec.type != storage_)
      return invalid_input("the reference expects " + std::to_string(expected.size()) + " outputs, the first of type " + std::string(to_text(storage_)));
    std::vector<std::byte> bytes;
    gather_canonical(outputs[0], bytes);
    const auto* words = reinterpret_cast<const std::uint16_t*>(bytes.data());
    std::vector<float> wide(bytes.size() / 2);
    for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = storage_ == DataType::f16 ? float_from_f16(words[i]) : float_from_bf16(words[i]);
    std::vector<Tensor> widened(outputs.begin(), outputs.end());
    widened[0].spec.type = DataType::f32;
    widened[0].spec.layout = canonical_layout(widened[0].spec.shape);
    widened[0].region = {wide.data(), wide.size() * sizeof(float)};
    auto found = compare_with_expected(expected, widened);
    if (!found) return found;
    // Distances of the stored output count in its own units.
    const auto rest = compare_with_expected({expected.begin() + 1, expected.end()}, outputs.subspan(1));
    if (!rest) return rest;
    found->max_ulp = rest->max_ulp;
    for (std::size_t i = 0; i < wide.size(); ++i)
      found->max_ulp = std::max(found->max_ulp, ulp_distance(storage_, words[i], stored_bits(storage_, static_cast<float>(expected[0].value[i]))));
    return found;
  }

  DataType storage_;
  bool backward_;
  std::vector<Expected> expected_;
};

class BatchNormOperation final : public SimpleOperation {
 public:
  BatchNormOperation(std::string op, const AlgorithmSearch& search) : SimpleOperation(std::move(op)) {
    add_provider(normalization::make_onednn_provider());
    add_provider(normalization::make_fixed_order_provider());
    add_provider(normalization::make_cuda_provider());
    add_provider(normalization::make_cudnn_legacy_provider());
    add_provider(normalization::make_cudnn_graph_provider(search));
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto p = parse_batch_norm(problem);
    if (!p) return tl::unexpected(p.error());
    const auto specs = batch_norm_specs(*p, "nhwc");
    if (!specs) return tl::unexpected(specs.error());
    std::vector<std::vector<double>> values;
    for (const auto& spec : specs->inputs) {
      const auto filling = fill(problem, spec, inputs);
      if (!filling) return tl::unexpected(filling.error());
      const auto filled = filled_values(spec.type, spec.shape, *filling);
      if (!filled) return tl::unexpected(filled.error());
      values.emplace_back(filled->begin(), filled->end());
    }
    return std::make_unique<BatchNormAnswer>(*p, answers(*p, values));
  }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    const auto uniform = [&](double scale) { return FillSpec{FillSpec::Kind::uniform, inputs.seed, stream, scale, 1, 1.0}; };
    if (input.role == "src" || input.role == "diff_dst") {
      // The backward multiplies three of them, and f16 ends at 65504.
      if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, input.type == DataType::f16 ? 3 : 8, 1.0};
      return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
    }
    // Wide enough for both ends of ReLU6 to be met. The backward takes statistics like those of its src.
    if (input.role == "gamma" || input.role == "beta") return uniform(4.0);
    if (input.role == "mean") return uniform(0.25);
    if (input.role == "variance") return FillSpec{FillSpec::Kind::constant, inputs.seed, stream, 1.0, 1, 1.0};
    return invalid_input(problem.op + " has no input '" + input.role + "'");
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse_batch_norm(problem);
    if (!p) return tl::unexpected(p.error());
    auto specs = batch_norm_specs(*p, "nhwc");
    if (!specs) return tl::unexpected(specs.error());
    const double elements = static_cast<double>(p->pixels()) * static_cast<double>(p->channels);
    SimpleCase c{specs->inputs, specs->outputs, {}, {}};
    const auto size = static_cast<double>(size_of(p->storage));
    c.cost = p->backward ? Cost{11 * elements, 3 * size * elements} : Cost{7 * elements, 2 * size * elements};
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) { return answers(p, in); };
    return c;
  }
};

struct Kind {
  const char* op;
  bool backward, relu6;
};
constexpr Kind kinds[] = {{"batch_norm_fwd", false, false},
                          {"batch_norm_bwd", true, false},
                          {"batch_norm_relu6_fwd", false, true},
                          {"batch_norm_relu6_bwd", true, true}};

}  // namespace

Result<BatchNormProblem> parse_batch_norm(const Problem& problem) {
  for (const auto& kind : kinds)
    if (problem.op == kind.op) {
      const auto types = parse_product_types(problem.types);
      if (!types || types->tf32)
        return invalid_input("types '" + problem.types.substr(0, 60) + "' do not exist for " + problem.op + "; f32_f32_strict, f16_f32_strict and bf16_f32_strict do");
      auto f = read_shape(problem.shape, {{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"h", 1, 1 << 16}, {"w", 1, 1 << 16}});
      if (!f) return tl::unexpected(f.error());
      bool known = false;
      for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c", "blocked"}) known |= problem.layout == layout;
      if (!known) return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; nhwc, nchw, nchw16c, nchw8c and blocked do");
      // Offsets are 64-bit; what cannot be held in memory anyway is refused before anybody multiplies it further.
      if (static_cast<double>((*f)[0]) * static_cast<double>((*f)[1]) * static_cast<double>((*f)[2]) * static_cast<double>((*f)[3]) > 0x1p36)
        return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
      return BatchNormProblem{(*f)[0], (*f)[1], (*f)[2], (*f)[3], kind.backward, kind.relu6, problem.layout, types->storage};
    }
  return invalid_input("'" + problem.op.substr(0, 60) + "' is no batch norm; batch_norm_fwd, batch_norm_bwd, batch_norm_relu6_fwd and batch_norm_relu6_bwd are");
}

Problem batch_norm_problem(bool backward, bool relu6, std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width, std::string layout, std::string types) {
  const std::string op = std::string("batch_norm_") + (relu6 ? "relu6_" : "") + (backward ? "bwd" : "fwd");
  return {op, format_shape({{"mb", std::to_string(batch)}, {"c", std::to_string(channels)}, {"h", std::to_string(height)}, {"w", std::to_string(width)}}),
          std::move(types), std::move(layout)};
}

Result<BatchNormSpecs> batch_norm_specs(const BatchNormProblem& p, std::string_view layout_name) {
  auto layout = activation_layout(p.activation_shape(), layout_name);
  if (!layout) return tl::unexpected(layout.error());
  const auto activation = [&](const char* role) { return TensorSpec{role, p.storage, p.activation_shape(), *layout}; };
  const auto channel = [&](const char* role) { return TensorSpec{role, DataType::f32, {p.channels}, canonical_layout({p.channels})}; };
  if (!p.backward) return BatchNormSpecs{{activation("src"), channel("gamma"), channel("beta")}, {activation("dst"), channel("mean"), channel("variance")}};
  BatchNormSpecs specs{{activation("src"), activation("diff_dst"), channel("mean"), channel("variance"), channel("gamma")},
                       {activation("diff_src"), channel("diff_gamma"), channel("diff_beta")}};
  if (p.relu6) specs.inputs.push_back(channel("beta"));
  return specs;
}

std::vector<std::unique_ptr<Operation>> make_batch_norm_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const auto& kind : kinds) operations.push_back(std::make_unique<BatchNormOperation>(kind.op, search));
  return operations;
}

std::unique_ptr<Plan> plan_moving_statistics(std::int64_t channels, double momentum) {
  const auto spec = [&](const char* role) { return TensorSpec{role, DataType::f32, {channels}, canonical_layout({channels})}; };
  SimplePlanParts parts{{spec("mean"), spec("variance")}, {spec("moving_mean"), spec("moving_variance")}, 0, {}, {}};
  // 1 - momentum is a Python float in Keras: computed in double, rounded to f32 once.
  const auto keep = static_cast<float>(momentum), rest = static_cast<float>(1.0 - momentum);
  parts.run = [channels, keep, rest](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    for (int i = 0; i < 2; ++i) {
      const float* batch = static_cast<const float*>(in[i].region.data);
      float* moving = static_cast<float*>(out[i].region.data);
      for (std::int64_t c = 0; c < channels; ++c) moving[c] = moving[c] * keep + batch[c] * rest;
    }
  };
  return std::make_unique<SimplePlan>(std::move(parts));
}

}  // namespace detbench
