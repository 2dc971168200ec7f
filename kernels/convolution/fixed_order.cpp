#include "kernels/convolution/fixed_order.hpp"

#include "kernels/convolution/operation.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

constexpr std::size_t alignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

bool is_bf16(const TensorSpec& spec) { return spec.type == DataType::bf16; }
std::size_t widened_bytes(const TensorSpec& spec) {
  return is_bf16(spec) ? aligned(static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float)) : 0;
}

class FixedOrderOp final : public Op {
 public:
  FixedOrderOp(const ConvolutionProblem& problem, const ordered::Kernels& kernels, std::span<const Tensor> inputs,
               const Tensor& output, Region workspace)
      : runner_(problem, kernels), first_(inputs[0]), second_(inputs[1]), output_(output) {
    auto* memory = static_cast<std::byte*>(workspace.data);
    const auto place = [&](const Tensor& tensor) {
      if (!is_bf16(tensor.spec)) return static_cast<float*>(tensor.region.data);
      auto* widened = reinterpret_cast<float*>(memory);
      memory += widened_bytes(tensor.spec);
      return widened;
    };
    a_ = place(first_), b_ = place(second_), out_ = place(output_);
    scratch_ = reinterpret_cast<float*>(memory);
  }

  Status enqueue() override {
    widen(first_, a_);
    widen(second_, b_);
    runner_.run(a_, b_, out_, scratch_);
    if (is_bf16(output_.spec)) {
      auto* target = static_cast<std::uint16_t*>(output_.region.data);
      const auto elements = element_count(output_.spec.shape);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) target[i] = bf16_from_float(out_[i]);
    }
    return {};
  }

 private:
  static void widen(const Tensor& tensor, float* target) {
    if (!is_bf16(tensor.spec)) return;
    const auto* source = static_cast<const std::uint16_t*>(tensor.region.data);
    const auto elements = element_count(tensor.spec.shape);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) target[i] = float_from_bf16(source[i]);
  }

  fixed_order::Runner runner_;
  Tensor first_, second_, output_;
  float *a_, *b_, *out_, *scratch_;
};

class FixedOrderPlan final : public Plan {
 public:
  FixedOrderPlan(const ConvolutionProblem& problem, const ordered::Kernels& kernels) : problem_(problem), kernels_(kernels) {
    problem_.layout = "nhwc";  // the kernels' own; a "blocked" problem asks for exactly that
    tensors_ = tensors_of(problem_);
  }
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override {
    return widened_bytes(tensors_.inputs[0]) + widened_bytes(tensors_.inputs[1]) + widened_bytes(tensors_.outputs[0]) +
           static_cast<std::size_t>(fixed_order::workspace_elements(problem_)) * sizeof(float);
  }
  std::map<std::string, std::string> notes() const override { return {{"instruction_set", std::string(to_text(kernels_.set))}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream&) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a convolution has two inputs and one output");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " +
                     std::to_string(workspace_bytes()));
    return std::make_unique<FixedOrderOp>(problem_, kernels_, inputs, outputs[0], workspace);
  }

 private:
  ConvolutionProblem problem_;
  const ordered::Kernels& kernels_;
  ConvolutionTensors tensors_;
};

class FixedOrderConvolution final : public Provider {
 public:
  std::string_view name() const override { return "fixed_order"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = algorithm_name(*p);
    offer.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
    // A weight gradient is a sum over the batch: another batch is another result.
    if (p->direction == Direction::wgrad) std::erase(offer.algorithm.claim.coverage, Scope::batch);
    if (auto status = supported(*p, device); !status) offer.unsupported = status.error();
    return std::vector{offer};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    if (algorithm.name != algorithm_name(*p))
      return invalid_input("fixed_order answers " + problem.op + " by " + algorithm_name(*p) + ", not by '" + algorithm.name + "'");
    for (const auto& [key, value] : algorithm.options)
      if (key != "isa") return invalid_input("option " + key + "=" + value + " is none of fixed_order's: isa=avx2 is");
    const auto kernels = ordered::choose_kernels(algorithm.options);
    if (!kernels) return tl::unexpected(kernels.error());
    auto plan = std::make_unique<FixedOrderPlan>(*p, **kernels);
    if (p->layout != "nchw") return plan;
    auto tensors = tensors_of(*p);
    return plan_with_reorders(std::move(plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }

 private:
  static std::string algorithm_name(const ConvolutionProblem& p) {
    return p.direction == Direction::wgrad ? "chunked16" : "direct";
  }
  static Status supported(const ConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("these fixed-order kernels run on the CPU");
    if (p.types.tf32) return unsupported("tensor cores have no order that can be fixed: fixed_order is f32 and bf16 only");
    if (p.types.storage == DataType::f16) return unsupported("fixed_order on a CPU has no f16 storage");
    if (p.kh * p.kw > fixed_order::most_taps)
      return unsupported("fixed_order takes filters of up to " + std::to_string(fixed_order::most_taps) + " taps");
    return {};
  }
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_convolution() { return std::make_unique<FixedOrderConvolution>(); }

}  // namespace detbench
