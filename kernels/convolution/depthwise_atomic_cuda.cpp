#include "kernels/convolution/depthwise_atomic.hpp"

#include "kernels/convolution/depthwise_cuda.hpp"
#include "kernels/convolution/depthwise_window.hpp"
#include "kernels/device/reorder.hpp"

namespace detbench {
namespace {

constexpr const char* algorithm_name = "depthwise:atomic";

class AtomicOp final : public Op {
 public:
  AtomicOp(const ConvolutionProblem& problem, std::span<const Tensor> inputs, const Tensor& output, Region workspace, void* stream)
      : p_(problem), src_(inputs[0].region.data), diff_dst_(inputs[1].region.data), out_(output.region.data), sums_(workspace.data), stream_(stream) {}
  Status enqueue() override {
    const bool in_place = p_.types.weight_gradient == DataType::f32;
    auto* sums = static_cast<float*>(in_place ? out_ : sums_);
    if (auto s = fixed_order::enqueue_depthwise_sums(p_, src_, diff_dst_, sums, true, stream_); !s || in_place) return s;
    return fixed_order::enqueue_round_sums(p_, sums, out_, stream_);
  }

 private:
  ConvolutionProblem p_;
  const void *src_, *diff_dst_;
  void *out_, *sums_, *stream_;
};

class AtomicPlan final : public Plan {
 public:
  explicit AtomicPlan(const ConvolutionProblem& problem) : p_(problem) {
    p_.layout = "nhwc";
    tensors_ = tensors_of(p_);
  }
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override {
    return p_.types.weight_gradient == DataType::f32 ? 0 : static_cast<std::size_t>(element_count(p_.weights_shape())) * sizeof(float);
  }
  std::size_t alignment_bytes() const override { return size_of(p_.types.storage); }
  std::map<std::string, std::string> notes() const override { return {{"chunks", std::to_string(wgrad_chunks(p_))}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a convolution has two inputs and one output");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<AtomicOp>(p_, inputs, outputs[0], workspace, stream.native());
  }

 private:
  ConvolutionProblem p_;
  ConvolutionTensors tensors_;
};

class CudaConvolution final : public Provider {
 public:
  std::string_view name() const override { return "cuda"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    Offer offer;
    offer.algorithm.provider = "cuda";
    offer.algorithm.name = algorithm_name;
    if (auto s = supported(*p, device); !s) offer.algorithm.name = "any", offer.unsupported = s.error();
    else if (const auto planned = plan(problem, offer.algorithm, device); !planned) offer.unsupported = planned.error();
    return std::vector{std::move(offer)};
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto s = supported(*p, device); !s) return tl::unexpected(s.error());
    if (algorithm.name != algorithm_name || !algorithm.options.empty())
      return invalid_input("cuda answers " + problem.op + " by " + algorithm_name + " without options, not by '" + algorithm_id(algorithm).substr(0, 100) + "'");
    auto plan = std::make_unique<AtomicPlan>(*p);
    if (p->layout != "nchw") return plan;
    auto tensors = tensors_of(*p);
    return plan_with_reorders(std::move(plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }

 private:
  static Status supported(const ConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cuda) return unsupported("these kernels run on a GPU");
    if (p.types.tf32) return unsupported("these kernels have no TF32");
    if (p.direction != Direction::wgrad) return unsupported("forward and dgrad have no sums that threads share: fixed_order has those kernels");
    if (!fixed_order::fits_depthwise(p)) return unsupported("for depthwise layers with square filters of 3 and 5, strides of 1 and 2, no dilation");
    return {};
  }
};

}  // namespace

std::unique_ptr<Provider> make_cuda_convolution() { return std::make_unique<CudaConvolution>(); }

}  // namespace detbench
