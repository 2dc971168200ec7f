#include "kernels/normalization/batch_norm.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/stored_operation.hpp"

namespace detbench {
namespace {

constexpr double u = unit_roundoff_f32;

/// Sums of M terms in any order with at most sqrt(M)-like growth: METHOD section 2's factor for a sum of M terms.
double sum_factor(double terms) { return u * (4 + 2 * std::sqrt(terms)); }

/// Sums over pixels, `count` of each channel: add(i, c, sums) adds element i of channel c to sums[0], sums[stride], ... In
/// blocks of pixels that are joined in ascending order, so that the answer does not depend on how many threads there are.
template <class Add>
std::vector<std::vector<double>> channel_sums(std::size_t elements, std::size_t channels, std::size_t count, Add add) {
  constexpr std::size_t most_blocks = 64;
  const std::size_t pixels = elements / channels, blocks = std::min(most_blocks, std::max<std::size_t>(1, pixels / 256));
  std::vector<std::vector<double>> partial(blocks, std::vector<double>(count * channels));
#pragma omp parallel for schedule(static) if (elements > 65536)
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t p = pixels * b / blocks; p < pixels * (b + 1) / blocks; ++p)
      for (std::size_t c = 0; c < channels; ++c) add(p * channels + c, c, &partial[b][c], channels);
  std::vector<std::vector<double>> sums(count, std::vector<double>(channels));
  for (const auto& block : partial)
    for (std::size_t s = 0; s < count; ++s)
      for (std::size_t c = 0; c < channels; ++c) sums[s][c] += block[s * channels + c];
  return sums;
}

/// work(i, c) for every element i of channel c, whose results depend on nothing but the element.
template <class Work>
void for_each_element(std::size_t elements, std::size_t channels, Work work) {
  const std::size_t pixels = elements / channels;
#pragma omp parallel for schedule(static) if (elements > 65536)
  for (std::size_t p = 0; p < pixels; ++p)
    for (std::size_t c = 0; c < channels; ++c) work(p * channels + c, c);
}

/// The fp64 forward. Bounds, with M values per channel:
///   mean      sum_factor(M) * sum|x|/M
///   variance  (sum_factor(M) + 4u) * variance + mean_bound^2: an error e of the mean adds exactly e^2, and the rounding of
///             x - mean is relative to it. A one-pass E[x^2] - E[x]^2 does not meet this where the mean is large.
///   y         first-order propagation through scale = gamma/sqrt(variance+epsilon), plus 4 roundings of its summands;
///             clipping never enlarges an error; swish, whose slope is at most 1.1, adds its own 8 units.
/// Inference has its statistics given: their bounds are zero.
double swish_of(double y) { return y / (1 + std::exp(-y)); }
std::vector<Expected> forward_answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in, StorageRounding between) {
  const auto &x = in[0], &gamma = in[1], &beta = in[2];
  const std::size_t channels = p.channels, m = p.pixels();
  Expected y{std::vector<double>(x.size()), std::vector<double>(x.size()), {}};
  Expected mean{std::vector<double>(channels), std::vector<double>(channels), {}}, variance = mean;
  std::vector<double> spread(channels);
  if (p.inference) {
    mean.value = in[3], spread = in[4];
  } else {
    const auto sums = channel_sums(x.size(), channels, 2, [&](std::size_t i, std::size_t, double* to, std::size_t stride) {
      to[0] += x[i], to[stride] += std::abs(x[i]);
    });
    for (std::size_t c = 0; c < channels; ++c) {
      mean.value[c] = sums[0][c] / m;
      mean.bound[c] = sum_factor(m) * sums[1][c] / m;
    }
    spread = channel_sums(x.size(), channels, 1, [&](std::size_t i, std::size_t c, double* to, std::size_t) {
      const double distance = x[i] - mean.value[c];
      to[0] += distance * distance / m;
    })[0];
  }
  std::vector<double> scale(channels), scale_error(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double v = variance.value[c] = spread[c];
    if (!p.inference) variance.bound[c] = (sum_factor(m) + 4 * u) * v + std::pow(mean.bound[c], 2) + 0x1p-149;
    scale[c] = gamma[c] / std::sqrt(v + static_cast<double>(batch_norm_epsilon));
    scale_error[c] = std::abs(scale[c]) * (0.5 * variance.bound[c] / (v + static_cast<double>(batch_norm_epsilon)) + 3 * u);
  }
  for_each_element(x.size(), channels, [&](std::size_t i, std::size_t c) {
    const double value = (x[i] - mean.value[c]) * scale[c] + beta[c];
    double bound = std::abs(x[i] - mean.value[c]) * scale_error[c] + std::abs(scale[c]) * mean.bound[c] +
                 4 * u * (std::abs(x[i] * scale[c]) + std::abs(mean.value[c] * scale[c]) + std::abs(beta[c]));
    switch (p.activation) {
      case Activation::relu: y.value[i] = std::max(value, 0.0); break;
      case Activation::relu6: y.value[i] = std::clamp(value, 0.0, 6.0); break;
      case Activation::swish:
        y.value[i] = swish_of(value);
        bound += between.relative * (std::abs(value) + bound) + between.absolute;
        // exp may be wrong by units in the last place that grow with its argument where it is the hardware's.
        bound = 1.1 * bound + u * (8 + 2 * std::abs(value)) * std::abs(y.value[i]) + 0x1p-126;
        break;
      default: y.value[i] = value;
    }
    y.bound[i] = bound;
  });
  if (p.inference) return {std::move(y)};
  return {std::move(y), std::move(mean), std::move(variance)};
}

/// The fp64 backward. Sums as above; where y is within its own rounding of a kink (0, and 6 of ReLU6) either side of the mask
/// is right: such an element has two answers, and its share widens the bounds of its channel's sums. Swish has no kink, but
/// its slope moves with y by at most half of y's error.
std::vector<Expected> backward_answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in, StorageRounding between) {
  const auto &x = in[0], &dy = in[1], &mean = in[2], &variance = in[3], &gamma = in[4];
  const std::size_t channels = p.channels;
  const auto m = static_cast<double>(p.pixels());
  std::vector<double> d = dy;
  std::vector<char> ambiguous(x.size(), 0);  // not of bool, whose neighbours share a byte between threads
  std::vector<double> doubt(x.size());  // of d, beyond its rounding
  std::vector<double> inverse(channels);
  for (std::size_t c = 0; c < channels; ++c) inverse[c] = 1 / std::sqrt(variance[c] + static_cast<double>(batch_norm_epsilon));
  if (p.activation != Activation::none)
    for_each_element(x.size(), channels, [&](std::size_t i, std::size_t c) {
      const double scale = gamma[c] * inverse[c], y = (x[i] - mean[c]) * scale + in[5][c];
      const double error = 8 * u * (std::abs(x[i] * scale) + std::abs(mean[c] * scale) + std::abs(in[5][c]));
      if (p.activation == Activation::swish) {
        const double s = 1 / (1 + std::exp(-y)), rest = 1 / (1 + std::exp(y));
        d[i] *= s * (1 + y * rest);
        doubt[i] = std::abs(dy[i]) * (0.5 * error + u * (12 + 2 * std::abs(y)) * s * (1 + std::abs(y) * rest)) + 0x1p-126 * (1 + std::abs(dy[i]));
        doubt[i] += between.relative * (std::abs(d[i]) + doubt[i]) + between.absolute;
        return;
      }
      const bool relu6 = p.activation == Activation::relu6;
      ambiguous[i] = std::abs(y) <= error || (relu6 && std::abs(y - 6) <= error);
      if (!(y > 0 && (!relu6 || y < 6))) d[i] = 0;
    });
  Expected dx{std::vector<double>(x.size()), std::vector<double>(x.size()), std::vector<double>(x.size())};
  Expected dgamma{std::vector<double>(channels), std::vector<double>(channels), {}}, dbeta = dgamma;
  // Of d, d times distance, their magnitudes and their doubts.
  auto sums = channel_sums(x.size(), channels, 6, [&](std::size_t i, std::size_t c, double* to, std::size_t stride) {
    const double distance = x[i] - mean[c], open = ambiguous[i] ? std::abs(dy[i]) : doubt[i];
    to[0] += d[i], to[stride] += d[i] * distance;
    to[2 * stride] += std::abs(d[i]), to[3 * stride] += std::abs(d[i] * distance);
    to[4 * stride] += open, to[5 * stride] += open * std::abs(distance);
  });
  const auto &gamma_sum = sums[1], &beta_magnitude = sums[2], &gamma_magnitude = sums[3], &beta_doubt = sums[4], &gamma_doubt = sums[5];
  dbeta.value = std::move(sums[0]);
  for (std::size_t c = 0; c < channels; ++c) {
    dgamma.value[c] = gamma_sum[c] * inverse[c];
    dbeta.bound[c] = sum_factor(m) * beta_magnitude[c] + beta_doubt[c] + 0x1p-149;
    dgamma.bound[c] = inverse[c] * ((sum_factor(m) + 6 * u) * gamma_magnitude[c] + gamma_doubt[c]) + 0x1p-149;
  }
  const auto slope = [&](std::size_t c) { return inverse[c] * dgamma.value[c] / m; };
  for_each_element(x.size(), channels, [&](std::size_t i, std::size_t c) {
    const double factor = gamma[c] * inverse[c], distance = x[i] - mean[c];
    const auto answer = [&](double gradient) { return factor * (gradient - dbeta.value[c] / m - distance * slope(c)); };
    dx.value[i] = answer(d[i]);
    dx.bound[i] = std::abs(factor) * (doubt[i] + dbeta.bound[c] / m + std::abs(distance) * inverse[c] * dgamma.bound[c] / m +
                                      8 * u * (std::abs(d[i]) + std::abs(dbeta.value[c]) / m + std::abs(distance * slope(c)))) + 0x1p-149;
    dx.alternative[i] = ambiguous[i] ? answer(d[i] == 0 ? dy[i] : 0) : dx.value[i];
  });
  return {std::move(dx), std::move(dgamma), std::move(dbeta)};
}

/// `between`: of a swish and a batch norm that are done apart.
std::vector<Expected> answers(const BatchNormProblem& p, const std::vector<std::vector<double>>& in, StorageRounding between) {
  return p.backward ? backward_answers(p, in, between) : forward_answers(p, in, between);
}

/// The fp64 answers with what is true of some arms only: where activations are stored in 16 bits, the first output is rounded
/// once more; cuDNN's arms that do batch norm and activation apart round what lies between them too; and cuDNN gives the
/// inverse deviation, of which the variance is computed again.
class BatchNormAnswer final : public Reference {
 public:
  BatchNormAnswer(const BatchNormProblem& problem, const std::vector<std::vector<double>>& inputs)
      : training_forward_(!problem.backward && !problem.inference), expected_(answers(problem, inputs, {})) {
    add_storage_rounding(expected_[0], problem.storage);
    if (problem.storage == DataType::f32 || problem.activation != Activation::swish) return;
    apart_ = answers(problem, inputs, storage_rounding(problem.storage));
    add_storage_rounding(apart_[0], problem.storage);
  }
  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    const bool apart = algorithm.name.find("swish") != std::string::npos && !apart_.empty();
    const auto& answers = apart ? apart_ : expected_;
    std::vector<ExpectedView> expected(answers.begin(), answers.end());
    // 1/sqrt within 2 units (CUDA's approximate one), its square and the reciprocal rounded: within 16 u of variance + epsilon.
    std::vector<double> variance_bound;
    if (training_forward_ && algorithm.provider.starts_with("cudnn")) {
      variance_bound = answers[2].bound;
      for (std::size_t c = 0; c < variance_bound.size(); ++c)
        variance_bound[c] += 16 * u * (answers[2].value[c] + static_cast<double>(batch_norm_epsilon));
      expected[2].bound = variance_bound;
    }
    return compare_stored(expected, outputs);
  }

 private:
  bool training_forward_;
  std::vector<Expected> expected_, apart_;
};

class BatchNormOperation final : public SimpleOperation {
 public:
  BatchNormOperation(std::string op, const AlgorithmSearch& search) : SimpleOperation(std::move(op)) {
    if (this->op().ends_with("_inference")) set_batch_field("mb");  // training mixes samples in its statistics
    add_provider(normalization::make_onednn_provider());
    add_provider(normalization::make_fixed_order_provider());
    add_provider(normalization::make_cuda_provider());
    add_provider(normalization::make_cudnn_legacy_provider());
    add_provider(normalization::make_cudnn_graph_provider(search));
    add_provider(normalization::make_openmp_provider());
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto p = parse_batch_norm(problem);
    if (!p) return tl::unexpected(p.error());
    const auto specs = batch_norm_specs(*p, "nhwc");
    if (!specs) return tl::unexpected(specs.error());
    const auto values = reference_inputs(*this, problem, specs->inputs, inputs);
    if (!values) return tl::unexpected(values.error());
    return std::make_unique<BatchNormAnswer>(*p, *values);
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
    if (input.role == "mean" || input.role == "moving_mean") return uniform(0.25);
    if (input.role == "variance" || input.role == "moving_variance") return FillSpec{FillSpec::Kind::constant, inputs.seed, stream, 1.0, 1, 1.0};
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
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) { return answers(p, in, {}); };
    return c;
  }
};

constexpr Activation fused_activations[] = {Activation::none, Activation::relu, Activation::relu6, Activation::swish};
enum class Pass { forward, backward, inference };
constexpr std::pair<Pass, const char*> passes[] = {{Pass::forward, "_fwd"}, {Pass::backward, "_bwd"}, {Pass::inference, "_inference"}};

std::string op_name(Activation activation, std::string_view pass) {
  std::string name = "batch_norm";
  if (activation != Activation::none) name.append("_").append(to_text(activation));
  return name.append(pass);
}
Problem problem_of(std::string op, std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout, std::string types) {
  return {std::move(op), format_shape({{"mb", std::to_string(batch)}, {"c", std::to_string(channels)}, {"h", std::to_string(height)}, {"w", std::to_string(width)}}),
          std::move(types), std::move(layout)};
}

}  // namespace

Result<BatchNormProblem> parse_batch_norm(const Problem& problem) {
  BatchNormProblem p;
  bool found = false;
  for (const Activation activation : fused_activations)
    for (const auto& [pass, name] : passes)
      if (problem.op == op_name(activation, name)) {
        found = true;
        p.activation = activation;
        p.backward = pass == Pass::backward;
        p.inference = pass == Pass::inference;
      }
  if (!found)
    return invalid_input("'" + problem.op.substr(0, 60) + "' is no batch norm; batch_norm, batch_norm_relu, batch_norm_relu6 and batch_norm_swish with _fwd, _bwd or _inference are");
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
  p.batch = (*f)[0], p.channels = (*f)[1], p.height = (*f)[2], p.width = (*f)[3];
  p.layout = problem.layout;
  p.storage = types->storage;
  return p;
}

Problem batch_norm_problem(bool backward, Activation activation, std::int64_t batch, std::int64_t channels, std::int64_t height,
                           std::int64_t width, std::string layout, std::string types) {
  return problem_of(op_name(activation, backward ? "_bwd" : "_fwd"), batch, channels, height, width, std::move(layout), std::move(types));
}
Problem batch_norm_inference_problem(Activation activation, std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
                                     std::string layout, std::string types) {
  return problem_of(op_name(activation, "_inference"), batch, channels, height, width, std::move(layout), std::move(types));
}

Result<BatchNormSpecs> batch_norm_specs(const BatchNormProblem& p, std::string_view layout_name) {
  auto layout = activation_layout(p.activation_shape(), layout_name);
  if (!layout) return tl::unexpected(layout.error());
  const auto activation = [&](const char* role) { return TensorSpec{role, p.storage, p.activation_shape(), *layout}; };
  const auto channel = [&](const char* role) { return TensorSpec{role, DataType::f32, {p.channels}, canonical_layout({p.channels})}; };
  if (p.inference)
    return BatchNormSpecs{{activation("src"), channel("gamma"), channel("beta"), channel("moving_mean"), channel("moving_variance")}, {activation("dst")}};
  if (!p.backward) return BatchNormSpecs{{activation("src"), channel("gamma"), channel("beta")}, {activation("dst"), channel("mean"), channel("variance")}};
  BatchNormSpecs specs{{activation("src"), activation("diff_dst"), channel("mean"), channel("variance"), channel("gamma")},
                       {activation("diff_src"), channel("diff_gamma"), channel("diff_beta")}};
  if (p.activation != Activation::none) specs.inputs.push_back(channel("beta"));
  return specs;
}

std::vector<std::unique_ptr<Operation>> make_batch_norm_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const auto& [pass, name] : passes)
    for (const Activation activation : fused_activations) operations.push_back(std::make_unique<BatchNormOperation>(op_name(activation, name), search));
  return operations;
}

}  // namespace detbench
