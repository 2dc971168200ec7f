#include "kernels/convolution/fixed_order_cuda.hpp"

#include "kernels/convolution/fixed_order.hpp"

namespace detbench::fixed_order {
namespace {

class GpuOp final : public Op {
 public:
  GpuOp(const ConvolutionProblem& problem, std::span<const Tensor> inputs, const Tensor& output, Region workspace, void* stream)
      : p_(problem), first_(inputs[0].region.data), second_(inputs[1].region.data), output_(output), workspace_(workspace.data), stream_(stream) {}
  Status enqueue() override { return enqueue_on_gpu(p_, first_, second_, output_.region.data, output_.spec.type, workspace_, stream_); }

 private:
  ConvolutionProblem p_;
  const void *first_, *second_;
  Tensor output_;
  void *workspace_, *stream_;
};

class GpuPlan final : public Plan {
 public:
  explicit GpuPlan(const ConvolutionProblem& problem) : p_(problem), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return gpu_workspace_bytes(p_); }
  std::size_t alignment_bytes() const override { return size_of(p_.types.storage); }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a convolution has two inputs and one output");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<GpuOp>(p_, inputs, outputs[0], workspace, stream.native());
  }

 private:
  ConvolutionProblem p_;
  ConvolutionTensors tensors_;
};

}  // namespace

Status can_run_on_gpu() { return {}; }

std::size_t gpu_workspace_bytes(const ConvolutionProblem& p) {
  if (p.direction != Direction::wgrad || (wgrad_chunks(p) == 1 && p.types.weight_gradient == DataType::f32)) return 0;
  return static_cast<std::size_t>(wgrad_chunks(p) * element_count(p.weights_shape())) * sizeof(float);
}

Result<std::unique_ptr<Plan>> plan_on_gpu(const ConvolutionProblem& problem) {
  auto p = problem;
  p.layout = "nhwc";
  return std::make_unique<GpuPlan>(p);
}

}  // namespace detbench::fixed_order
