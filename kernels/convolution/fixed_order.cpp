#include "kernels/convolution/fixed_order.hpp"

#include "kernels/convolution/fixed_order_cuda.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench {
namespace {

constexpr std::size_t alignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

bool is_narrow(const TensorSpec& spec) { return spec.type != DataType::f32; }
std::size_t widened_bytes(const TensorSpec& spec) {
  return is_narrow(spec) ? aligned(static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float)) : 0;
}

class FixedOrderOp final : public Op {
 public:
  FixedOrderOp(const ConvolutionProblem& problem, const ordered::Kernels& kernels, std::span<const Tensor> inputs,
               const Tensor& output, Region workspace)
      : runner_(problem, kernels), first_(inputs[0]), second_(inputs[1]), output_(output) {
    auto* memory = static_cast<std::byte*>(workspace.data);
    const auto place = [&](const Tensor& tensor) {
      if (!is_narrow(tensor.spec)) return static_cast<float*>(tensor.region.data);
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
    if (!is_narrow(output_.spec)) return {};
    const auto elements = element_count(output_.spec.shape);
    with_stored_type(output_.spec.type, [&](auto out) {
      using Out = decltype(out);
      auto* target = static_cast<typename Out::Stored*>(output_.region.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) target[i] = Out::narrow(out_[i]);
    });
    return {};
  }

 private:
  static void widen(const Tensor& tensor, float* target) {
    if (!is_narrow(tensor.spec)) return;
    const auto elements = element_count(tensor.spec.shape);
    with_stored_type(tensor.spec.type, [&](auto in) {
      using In = decltype(in);
      const auto* source = static_cast<const typename In::Stored*>(tensor.region.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) target[i] = In::widen(source[i]);
    });
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
    if (const auto planned = plan(problem, offer.algorithm, device); !planned) offer.unsupported = planned.error();
    return std::vector{offer};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (algorithm.name != algorithm_name(*p))
      return invalid_input("fixed_order answers " + problem.op + " by " + algorithm_name(*p) + ", not by '" + algorithm.name + "'");
    if (p->types.tf32) return unsupported("tensor cores have no order that can be fixed: fixed_order has no TF32");
    auto plan = device.kind() == DeviceKind::cuda ? gpu_plan(*p, algorithm.options) : cpu_plan(*p, algorithm.options);
    if (!plan || p->layout != "nchw") return plan;
    auto tensors = tensors_of(*p);
    return plan_with_reorders(std::move(*plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }

 private:
  static std::string algorithm_name(const ConvolutionProblem& p) {
    return p.direction == Direction::wgrad ? "chunked64" : "direct";
  }
  static Result<std::unique_ptr<Plan>> cpu_plan(const ConvolutionProblem& p, const Options& options) {
    for (const auto& [key, value] : options)
      if (key != "isa") return invalid_input("option " + key + "=" + value + " is none of fixed_order's: isa=avx2 is");
    if (p.kh * p.kw > fixed_order::most_taps)
      return unsupported("fixed_order takes filters of up to " + std::to_string(fixed_order::most_taps) + " taps");
    const auto kernels = ordered::choose_kernels(options);
    if (!kernels) return tl::unexpected(kernels.error());
    return std::make_unique<FixedOrderPlan>(p, **kernels);
  }
  static Result<std::unique_ptr<Plan>> gpu_plan(const ConvolutionProblem& p, const Options& options) {
    if (!options.empty()) return invalid_input("fixed_order on a GPU has no options, not " + options.begin()->first + "=" + options.begin()->second);
    if (auto status = fixed_order::can_run_on_gpu(); !status) return tl::unexpected(status.error());
    return fixed_order::plan_on_gpu(p);
  }
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_convolution() { return std::make_unique<FixedOrderConvolution>(); }

}  // namespace detbench
