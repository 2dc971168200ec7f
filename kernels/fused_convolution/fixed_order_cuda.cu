#include "kernels/fused_convolution/fixed_order_cuda.hpp"

#include "kernels/convolution/fixed_order_cuda.hpp"
#include "kernels/fused_convolution/fixed_order_elements.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::fused_order {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// The convolution's f32 results, where dst is stored in 16 bits; else they lie in dst itself.
std::size_t wide_bytes(const FusedConvolutionProblem& p) {
  return p.types.storage == DataType::f32 ? 0 : aligned(static_cast<std::size_t>(p.pixels() * p.oc) * sizeof(float));
}
std::size_t parts_bytes(const FusedConvolutionProblem& p) {
  return p.pattern == FusedPattern::stats ? aligned(static_cast<std::size_t>(2 * chunks_of(p.pixels()) * p.oc) * sizeof(float)) : 0;
}

template <class Out>
Status enqueue_behind(const FusedConvolutionProblem& p, const float* wide, std::span<const Tensor> inputs, std::span<const Tensor> outputs, float* parts,
                      void* stream) {
  auto* dst = static_cast<typename Out::Stored*>(outputs[0].region.data);
  const std::int64_t pixels = p.pixels(), chunks = chunks_of(pixels);
  if (p.pattern == FusedPattern::bias_relu6)
    return simple_cuda::enqueue_for_each(pixels * p.oc, FinishPixels<Out>{wide, static_cast<const float*>(inputs[2].region.data), dst, p.oc}, stream);
  float *sums = parts, *squares = parts + chunks * p.oc;
  if (auto s = simple_cuda::enqueue_for_each(chunks * p.oc, StoreAndSumChunk<Out>{wide, dst, sums, squares, pixels, p.oc}, stream); !s) return s;
  return simple_cuda::enqueue_for_each(
      p.oc, JoinChunks{sums, squares, static_cast<float*>(outputs[1].region.data), static_cast<float*>(outputs[2].region.data), chunks, p.oc}, stream);
}

Status enqueue(const FusedConvolutionProblem& p, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, void* stream) {
  auto* memory = static_cast<std::byte*>(workspace.data);
  auto* wide = static_cast<float*>(wide_bytes(p) > 0 ? workspace.data : outputs[0].region.data);
  auto* parts = reinterpret_cast<float*>(memory + wide_bytes(p));
  if (auto s = fixed_order::enqueue_on_gpu(p, inputs[0].region.data, inputs[1].region.data, wide, DataType::f32, memory + wide_bytes(p) + parts_bytes(p), stream);
      !s)
    return s;
  return with_stored_type(p.types.storage, [&](auto out) { return enqueue_behind<decltype(out)>(p, wide, inputs, outputs, parts, stream); });
}

class GpuOp final : public Op {
 public:
  GpuOp(const FusedConvolutionProblem& problem, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, void* stream)
      : p_(problem), inputs_(inputs.begin(), inputs.end()), outputs_(outputs.begin(), outputs.end()), workspace_(workspace), stream_(stream) {}
  Status enqueue() override { return fused_order::enqueue(p_, inputs_, outputs_, workspace_, stream_); }

 private:
  FusedConvolutionProblem p_;
  std::vector<Tensor> inputs_, outputs_;
  Region workspace_;
  void* stream_;
};

class GpuPlan final : public Plan {
 public:
  explicit GpuPlan(const FusedConvolutionProblem& problem) : p_(problem), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override { return wide_bytes(p_) + parts_bytes(p_) + fixed_order::gpu_workspace_bytes(p_); }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (inputs.size() != tensors_.inputs.size() || outputs.size() != tensors_.outputs.size())
      return failure("a fused convolution was bound to the wrong number of tensors");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<GpuOp>(p_, inputs, outputs, workspace, stream.native());
  }

 private:
  FusedConvolutionProblem p_;
  ConvolutionTensors tensors_;
};

}  // namespace

Result<std::unique_ptr<Plan>> plan_on_gpu(const FusedConvolutionProblem& problem) { return std::make_unique<GpuPlan>(problem); }

}  // namespace detbench::fused_order
