// cuDNN's legacy activations. Their backward passes want the forward's answer beside
// its input: reset() puts it into the workspace, untimed, as a training step has it.
#include "kernels/activation/parts.hpp"
#include "kernels/cudnn/legacy_descriptor.hpp"

namespace detbench::activation {
namespace {

using cudnn::Owned;

struct Descriptors {
  Owned<cudnnActivationDescriptor_t> activation;
  Owned<cudnnTensorDescriptor_t> tensor;
};

Result<Descriptors> describe(const cudnn::Library& library, Kind kind, const TensorSpec& spec) {
  auto activation = cudnn::make_owned(library, library.cudnnCreateActivationDescriptor, library.cudnnDestroyActivationDescriptor);
  if (!activation) return tl::unexpected(activation.error());
  const bool clips = kind.activation == Activation::relu6;
  const auto mode = kind.activation == Activation::relu    ? CUDNN_ACTIVATION_RELU
                    : clips                                ? CUDNN_ACTIVATION_CLIPPED_RELU
                    : kind.activation == Activation::swish ? CUDNN_ACTIVATION_SWISH
                                                           : CUDNN_ACTIVATION_SIGMOID;
  DETBENCH_CUDNN_TRY(library, cudnnSetActivationDescriptor(activation->get(), mode, CUDNN_PROPAGATE_NAN, clips ? 6.0 : 0.0));
  if (kind.activation == Activation::swish) DETBENCH_CUDNN_TRY(library, cudnnSetActivationDescriptorSwishBeta(activation->get(), 1.0));
  auto tensor = cudnn::make_legacy_tensor(library, spec);
  if (!tensor) return tl::unexpected(tensor.error());
  return Descriptors{*activation, *tensor};
}

Status forward(const cudnn::Library& library, cudnnHandle_t handle, const Descriptors& d, const void* x, void* y) {
  const float one = 1, zero = 0;
  DETBENCH_CUDNN_TRY(library, cudnnActivationForward(handle, d.activation.get(), &one, d.tensor.get(), x, &zero, d.tensor.get(), y));
  return {};
}

Status backward(const cudnn::Library& library, cudnnHandle_t handle, const Descriptors& d, const void* y, const void* dy, const void* x, void* dx) {
  const float one = 1, zero = 0;
  const auto t = d.tensor.get();
  DETBENCH_CUDNN_TRY(library, cudnnActivationBackward(handle, d.activation.get(), &one, t, y, t, dy, t, x, &zero, t, dx));
  return {};
}

Result<SimplePlanParts> parts_of(Kind kind, SimplePlanParts parts, Device& device) {
  if (kind.backward && !kind.is_exact() && parts.inputs[0].type != DataType::f32)
    return unsupported("cuDNN's legacy gradient reads the forward's answer, which was rounded to 16 bits: another computation than this operation's");
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  auto descriptors = describe(**library, kind, parts.inputs[0]);
  if (!descriptors) return tl::unexpected(descriptors.error());
  const bool is_backward = kind.backward;
  parts.workspace_bytes = is_backward ? parts.inputs[0].bytes() : 0;
  parts.alignment_bytes = 16;
  parts.needs_reset = is_backward;
  parts.bind = [&device, lib = *library, d = *descriptors, is_backward](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                                                        Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    void *x = in[0].region.data, *target = out[0].region.data, *y = workspace.data;
    if (!is_backward) return std::make_unique<FunctionOp>([=, h = *handle] { return forward(*lib, h, d, x, target); });
    void* dy = in[1].region.data;
    return std::make_unique<FunctionOp>([=, h = *handle] { return backward(*lib, h, d, y, dy, x, target); },
                                        [=, h = *handle] { return forward(*lib, h, d, x, y); });
  };
  return parts;
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_activation_provider(Kind kind, Specs specs) {
  const std::string name(kind.activation == Activation::relu6 ? "clipped_relu" : to_text(kind.activation));
  return std::make_unique<cudnn::CudnnLegacyProvider>(std::vector<SimpleAlgorithm>{
      {name, cudnn::documented_claim(false), false, [kind, specs](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
         auto parts = specs(problem);
         if (!parts) return parts;
         return parts_of(kind, std::move(*parts), device);
       }}});
}

}  // namespace detbench::activation
