#include <algorithm>
#include <array>

#include "kernels/convolution/operation.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/fused_convolution/fixed_order_cuda.hpp"
#include "kernels/fused_convolution/fixed_order_elements.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

using fused_order::add_bias_and_clip, fused_order::chunk_pixels, fused_order::chunks_of;

std::size_t f32_bytes(const TensorSpec& spec) {
  return (static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float) + 63) / 64 * 64;
}

void widen(const Tensor& tensor, float* target) {
  const auto elements = element_count(tensor.spec.shape);
  with_stored_type(tensor.spec.type, [&](auto stored) {
    using S = decltype(stored);
    const auto* source = static_cast<const typename S::Stored*>(tensor.region.data);
#pragma omp parallel for simd schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) target[i] = S::widen(source[i]);
  });
}

/// One pixel's channels. `out` may be `in`.
template <class S>
void add_bias_and_clip_pixel(const float* in, const float* bias, typename S::Stored* out, std::int64_t channels) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) out[c] = S::narrow(add_bias_and_clip(in[c], bias[c]));
}

template <class S>
void add_pixel(const float* in, typename S::Stored* out, float* sum, float* square, std::int64_t channels) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    out[c] = S::narrow(in[c]);
    const float y = S::widen(out[c]);  // what a reader of dst sees
    sum[c] += y;
    square[c] += y * y;
  }
}

class FusedOp final : public Op {
 public:
  FusedOp(const FusedConvolutionProblem& p, std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::unique_ptr<Op> convolution,
          std::array<float*, 3> wide, float* partials)
      : p_(p), inputs_(inputs.begin(), inputs.end()), outputs_(outputs.begin(), outputs.end()), convolution_(std::move(convolution)),
        wide_(wide), partials_(partials) {}

  Status enqueue() override {
    if (narrow())
      for (std::size_t i = 0; i < 2; ++i) widen(inputs_[i], wide_[i]);
    if (auto status = convolution_->enqueue(); !status) return status;
    if (p_.pattern == FusedPattern::bias_relu6) finish_pixels();
    else sum_channels();
    return {};
  }

 private:
  bool narrow() const { return p_.types.storage != DataType::f32; }

  void finish_pixels() const {
    const auto* bias = static_cast<const float*>(inputs_[2].region.data);
    const std::int64_t pixels = p_.pixels(), channels = p_.oc;
    with_stored_type(p_.types.storage, [&](auto stored) {
      using S = decltype(stored);
      auto* dst = static_cast<typename S::Stored*>(outputs_[0].region.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t p = 0; p < pixels; ++p)
        add_bias_and_clip_pixel<S>(wide_[2] + p * channels, bias, dst + p * channels, channels);
    });
  }

  void sum_channels() const {
    const std::int64_t pixels = p_.pixels(), channels = p_.oc, chunks = chunks_of(pixels);
    float *sums = partials_, *squares = partials_ + chunks * channels;
    with_stored_type(p_.types.storage, [&](auto stored) {
      using S = decltype(stored);
      auto* dst = static_cast<typename S::Stored*>(outputs_[0].region.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t k = 0; k < chunks; ++k) {
        float *sum = sums + k * channels, *square = squares + k * channels;
        std::fill(sum, sum + channels, 0.0f);
        std::fill(square, square + channels, 0.0f);
        const std::int64_t last = std::min(pixels, (k + 1) * chunk_pixels);
        for (std::int64_t p = k * chunk_pixels; p < last; ++p)
          add_pixel<S>(wide_[2] + p * channels, dst + p * channels, sum, square, channels);
      }
    });
    auto *sum = static_cast<float*>(outputs_[1].region.data), *square = static_cast<float*>(outputs_[2].region.data);
#pragma omp parallel for schedule(static)
    for (std::int64_t c = 0; c < channels; ++c) {
      float s = sums[c], q = squares[c];
      for (std::int64_t k = 1; k < chunks; ++k) s += sums[k * channels + c], q += squares[k * channels + c];
      sum[c] = s;
      square[c] = q;
    }
  }

  FusedConvolutionProblem p_;
  std::vector<Tensor> inputs_, outputs_;
  std::unique_ptr<Op> convolution_;
  std::array<float*, 3> wide_;  ///< src, weights and dst in f32; dst itself where it is stored so
  float* partials_;
};

class FusedPlan final : public Plan {
 public:
  /// `problem` lies as nhwc; `convolution` answers it in f32.
  FusedPlan(const FusedConvolutionProblem& problem, std::unique_ptr<Plan> convolution)
      : p_(problem), tensors_(tensors_of(problem)), convolution_(std::move(convolution)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return wide_bytes() + partial_bytes() + convolution_->workspace_bytes(); }
  std::map<std::string, std::string> notes() const override { return convolution_->notes(); }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (!lie_as(inputs, tensors_.inputs) || !lie_as(outputs, tensors_.outputs))
      return invalid_input("the tensors of " + problem_id(to_problem(p_)) + " differ from the plan in number, type, shape or layout");
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    auto* memory = static_cast<std::byte*>(workspace.data);
    std::vector<Tensor> in(inputs.begin(), inputs.begin() + 2), out{outputs[0]};
    std::array<float*, 3> wide{};
    for (std::size_t i = 0; i < wide.size(); ++i) {
      auto& tensor = i < 2 ? in[i] : out[0];
      const auto spec = i < 2 ? convolution_->inputs()[i] : convolution_->outputs()[0];
      if (narrow()) {
        tensor.region = {memory, f32_bytes(spec)};
        memory += f32_bytes(spec);
      }
      tensor.spec = spec;
      wide[i] = static_cast<float*>(tensor.region.data);
    }
    auto* partials = reinterpret_cast<float*>(memory);
    memory += partial_bytes();
    auto op = convolution_->bind(in, out, {memory, convolution_->workspace_bytes()}, stream);
    if (!op) return op;
    return std::make_unique<FusedOp>(p_, inputs, outputs, std::move(*op), wide, partials);
  }

 private:
  /// By place, not by strides: a filter of one tap lies alike as gkrsc and goihw.
  static bool lie_as(std::span<const Tensor> tensors, const std::vector<TensorSpec>& specs) {
    return std::equal(tensors.begin(), tensors.end(), specs.begin(), specs.end(),
                      [](const Tensor& tensor, const TensorSpec& spec) { return same_layout(tensor.spec, spec) && tensor.region.bytes >= spec.bytes(); });
  }
  bool narrow() const { return p_.types.storage != DataType::f32; }
  std::size_t wide_bytes() const {
    if (!narrow()) return 0;
    return f32_bytes(tensors_.inputs[0]) + f32_bytes(tensors_.inputs[1]) + f32_bytes(tensors_.outputs[0]);
  }
  std::size_t partial_bytes() const {
    if (p_.pattern != FusedPattern::stats) return 0;
    const auto chunks = static_cast<std::size_t>(chunks_of(p_.pixels()));
    return (2 * chunks * static_cast<std::size_t>(p_.oc) * sizeof(float) + 63) / 64 * 64;
  }

  FusedConvolutionProblem p_;
  ConvolutionTensors tensors_;
  std::unique_ptr<Plan> convolution_;
};

class FixedOrderFused final : public Provider {
 public:
  std::string_view name() const override { return "fixed_order"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = algorithm_name(*p);
    offer.algorithm.claim = claim_by_construction();
    // Statistics are sums over the batch: another batch is another result.
    if (p->pattern == FusedPattern::stats) std::erase(offer.algorithm.claim.coverage, Scope::batch);
    if (const auto planned = plan(problem, offer.algorithm, device); !planned) offer.unsupported = planned.error();
    return std::vector{std::move(offer)};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (algorithm.name != algorithm_name(*p))
      return invalid_input("fixed_order answers " + problem.op + " by " + algorithm_name(*p) + ", not by '" + algorithm.name.substr(0, 60) + "'");
    if (p->types.tf32) return unsupported("tensor cores have no order that can be fixed: fixed_order has no TF32");
    if (device.kind() == DeviceKind::cuda) return gpu_plan(*p, algorithm.options, device);
    const auto tensors = tensors_of(*p);
    const bool reordered = p->layout == "nchw";
    p->layout = "nhwc";  // the kernels' own
    ConvolutionProblem inner = *p;
    inner.types = {};
    // Options, like the instruction set, are the convolution's: what is behind it has none.
    auto convolution = make_fixed_order_convolution()->plan(to_problem(inner), {"fixed_order", "direct", algorithm.options, {}}, device);
    if (!convolution) return convolution;
    auto plan = std::make_unique<FusedPlan>(*p, std::move(*convolution));
    if (!reordered) return plan;
    return plan_with_reorders(std::move(plan), tensors.inputs, tensors.outputs, device);
  }

 private:
  static Result<std::unique_ptr<Plan>> gpu_plan(FusedConvolutionProblem p, const Options& options, Device& device) {
    if (!options.empty()) return invalid_input("fixed_order on a GPU has no options, not " + options.begin()->first + "=" + options.begin()->second);
    const auto tensors = tensors_of(p);
    const bool reordered = p.layout == "nchw";
    p.layout = "nhwc";
    auto plan = fused_order::plan_on_gpu(p);
    if (!plan || !reordered) return plan;
    return plan_with_reorders(std::move(*plan), tensors.inputs, tensors.outputs, device);
  }
  static std::string algorithm_name(const FusedConvolutionProblem& p) {
    return p.pattern == FusedPattern::stats ? "direct+chunks" + std::to_string(chunk_pixels) : "direct";
  }
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_fused_convolution() { return std::make_unique<FixedOrderFused>(); }

}  // namespace detbench
