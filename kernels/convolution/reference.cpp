#include "kernels/convolution/reference.hpp"

namespace detbench {
namespace {

constexpr double most_flops = 2e8;

struct Axis {
  std::int64_t in, out, stride, pad, dilation;
  /// The input position of a tap, or -1 in the padding.
  std::int64_t input(std::int64_t o, std::int64_t tap) const {
    const std::int64_t i = o * stride - pad + tap * dilation;
    return i < 0 || i >= in ? -1 : i;
  }
  /// The output position that reads input i through a tap, or -1 when there is none.
  std::int64_t output(std::int64_t i, std::int64_t tap) const {
    const std::int64_t shifted = i + pad - tap * dilation;
    return shifted < 0 || shifted % stride != 0 || shifted / stride >= out ? -1 : shifted / stride;
  }
};
Axis rows_of(const ConvolutionProblem& p) { return {p.ih, p.oh(), p.sh, p.pt, p.dh}; }
Axis columns_of(const ConvolutionProblem& p) { return {p.iw, p.ow(), p.sw, p.pl, p.dw}; }

struct Index4 {
  std::int64_t n, y, x, c;
};
Index4 split(std::int64_t index, const Shape& shape) {
  Index4 at{};
  at.c = index % shape[3];
  index /= shape[3];
  at.x = index % shape[2];
  index /= shape[2];
  at.y = index % shape[1];
  at.n = index / shape[1];
  return at;
}

ProductSum forward_output(const ConvolutionProblem& p, const float* src, const float* weights, std::int64_t index) {
  const auto at = split(index, p.dst_shape());
  const auto rows = rows_of(p), columns = columns_of(p);
  const std::int64_t icg = p.icg(), group = at.c / p.ocg();
  ProductSum sum;
  for (std::int64_t r = 0; r < p.kh; ++r) {
    const auto y = rows.input(at.y, r);
    for (std::int64_t s = 0; y >= 0 && s < p.kw; ++s) {
      const auto x = columns.input(at.x, s);
      if (x < 0) continue;
      const float* a = src + ((at.n * p.ih + y) * p.iw + x) * p.ic + group * icg;
      const float* b = weights + ((at.c * p.kh + r) * p.kw + s) * icg;
      for (std::int64_t c = 0; c < icg; ++c) sum.add(a[c], b[c]);
    }
  }
  return sum;
}

ProductSum dgrad_output(const ConvolutionProblem& p, const float* diff_dst, const float* weights, std::int64_t index) {
  const auto at = split(index, p.src_shape());
  const auto rows = rows_of(p), columns = columns_of(p);
  const std::int64_t icg = p.icg(), ocg = p.ocg(), group = at.c / icg, c = at.c % icg;
  const std::int64_t filter = p.kh * p.kw * icg;
  ProductSum sum;
  for (std::int64_t r = 0; r < p.kh; ++r) {
    const auto y = rows.output(at.y, r);
    for (std::int64_t s = 0; y >= 0 && s < p.kw; ++s) {
      const auto x = columns.output(at.x, s);
      if (x < 0) continue;
      const float* a = diff_dst + ((at.n * p.oh() + y) * p.ow() + x) * p.oc + group * ocg;
      const float* b = weights + group * ocg * filter + (r * p.kw + s) * icg + c;
      for (std::int64_t k = 0; k < ocg; ++k) sum.add(a[k], b[k * filter]);
    }
  }
  return sum;
}

ProductSum wgrad_output(const ConvolutionProblem& p, const float* src, const float* diff_dst, std::int64_t index) {
  const std::int64_t icg = p.icg(), c = index % icg, s = index / icg % p.kw, r = index / icg / p.kw % p.kh;
  const std::int64_t k = index / icg / p.kw / p.kh, group = k / p.ocg();  // k counts over all groups
  const auto rows = rows_of(p), columns = columns_of(p);
  const std::int64_t oh = p.oh(), ow = p.ow();
  ProductSum sum;
  for (std::int64_t n = 0; n < p.mb; ++n)
    for (std::int64_t y = 0; y < oh; ++y) {
      const auto in_y = rows.input(y, r);
      if (in_y < 0) continue;
      const float* a = src + (n * p.ih + in_y) * p.iw * p.ic + group * icg + c;
      const float* b = diff_dst + (n * oh + y) * ow * p.oc + k;
      for (std::int64_t x = 0; x < ow; ++x)
        if (const auto in_x = columns.input(x, s); in_x >= 0) sum.add(a[in_x * p.ic], b[x * p.oc]);
    }
  return sum;
}

class DirectOp final : public Op {
 public:
  DirectOp(const ConvolutionProblem& problem, Tensor first, Tensor second, Tensor out)
      : problem_(problem), first_(std::move(first)), second_(std::move(second)), out_(std::move(out)) {}
  Status enqueue() override {
    const auto* a = static_cast<const float*>(first_.region.data);
    const auto* b = static_cast<const float*>(second_.region.data);
    auto* out = static_cast<float*>(out_.region.data);
    const auto elements = element_count(out_.spec.shape);
    // Every output is one serial sum, so the schedule cannot change bits.
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) out[i] = static_cast<float>(convolution_output(problem_, a, b, i).value);
    return {};
  }

 private:
  ConvolutionProblem problem_;
  Tensor first_, second_, out_;
};

class DirectPlan final : public Plan {
 public:
  explicit DirectPlan(const ConvolutionProblem& problem) : problem_(problem), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region,
                                   Stream&) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a convolution has two inputs and one output");
    return std::make_unique<DirectOp>(problem_, inputs[0], inputs[1], outputs[0]);
  }

 private:
  ConvolutionProblem problem_;
  ConvolutionTensors tensors_;
};

class ReferenceConvolution final : public Provider {
 public:
  std::string_view name() const override { return "reference"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    Offer offer;
    offer.algorithm.provider = "reference";
    offer.algorithm.name = "direct_f64";
    // One serial fp64 sum per output in a fixed order; but other compilers may order or vectorize it otherwise.
    offer.algorithm.claim = {Guarantee::run_to_run, "by construction: one serial sum per output",
                             {Scope::repeat, Scope::process, Scope::load, Scope::placement, Scope::partition, Scope::batch}};
    if (p->direction == Direction::wgrad) offer.algorithm.claim.coverage.pop_back();  // it sums over the batch
    if (auto status = supported(*p, device); !status) offer.unsupported = status.error();
    return std::vector{offer};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (algorithm.name != "direct_f64" || !algorithm.options.empty())
      return invalid_input("provider reference knows direct_f64 without options, not '" + algorithm_id(algorithm) + "'");
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    return std::make_unique<DirectPlan>(*p);
  }

 private:
  static Status supported(const ConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("the fp64 reference runs on the CPU");
    if (p.types != ConvolutionTypes{}) return unsupported("the fp64 reference takes f32_f32_strict only");
    if (p.layout == "nchw") return unsupported("the fp64 reference takes nhwc only");
    if (p.flops() > most_flops) return unsupported("over 2e8 operations: the fp64 reference is slow");
    return {};
  }
};

}  // namespace

ProductSum convolution_output(const ConvolutionProblem& p, const float* first, const float* second, std::int64_t index) {
  switch (p.direction) {
    case Direction::dgrad: return dgrad_output(p, first, second, index);
    case Direction::wgrad: return wgrad_output(p, first, second, index);
    default: return forward_output(p, first, second, index);
  }
}

Result<FillSpec> convolution_fill(const ConvolutionProblem& p, const TensorSpec& input, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  for (const auto& spec : tensors.inputs)
    if (spec.role == input.role)
      return product_fill(inputs, std::string(op_name(p.direction)) + "/" + spec.role, p.reduction_length(), spec.type,
                          narrowest_type(p.types, tensors.outputs[0].type));
  return invalid_input("'" + input.role + "' is no input of " + std::string(op_name(p.direction)));
}

CheckedOutput checked_convolution(const ConvolutionProblem& p, const TensorSpec& out, const std::vector<float>& first,
                                  const std::vector<float>& second, std::uint64_t seed) {
  CheckedOutput checked{out.role, out.type, out.shape, {}, {}};
  checked.indices = sample_outputs(out.shape, checked_output_limit(element_count(out.shape), p.reduction_length()), seed);
  checked.sums.resize(checked.indices.size());
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < checked.indices.size(); ++i)
    checked.sums[i] = convolution_output(p, first.data(), second.data(), checked.indices[i]);
  return checked;
}

Result<std::unique_ptr<Reference>> make_convolution_reference(const ConvolutionProblem& p, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  std::vector<std::vector<float>> values;
  for (const auto& spec : tensors.inputs) {
    const auto fill = convolution_fill(p, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto filled = filled_values(spec.type, spec.shape, *fill);
    if (!filled) return tl::unexpected(filled.error());
    values.push_back(std::move(*filled));
  }
  return make_product_sum_reference(inputs, path_precision(p.types), {checked_convolution(p, tensors.outputs[0], values[0], values[1], inputs.seed)});
}

std::unique_ptr<Provider> make_reference_convolution() { return std::make_unique<ReferenceConvolution>(); }

}  // namespace detbench
