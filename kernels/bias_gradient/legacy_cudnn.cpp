// cuDNN's legacy sums per channel: the gradient of a convolution's bias, and the general tensor reduction.
#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/cudnn/legacy_descriptor.hpp"

namespace detbench::bias_gradient {
namespace {

using cudnn::Library;
using cudnn::Owned;

struct Descriptors {
  Owned<cudnnTensorDescriptor_t> diff_dst, diff_bias;
};

Result<Descriptors> describe(const Library& library, const BiasGradientProblem& p) {
  // Both calls want the bias as {1, C, 1, 1}.
  const Shape as_activation{1, 1, 1, p.channels};
  auto diff_dst = cudnn::make_legacy_tensor(library, p.diff_dst());
  auto diff_bias = cudnn::make_legacy_tensor(library, {"diff_bias", DataType::f32, as_activation, canonical_layout(as_activation)});
  if (!diff_dst) return tl::unexpected(diff_dst.error());
  if (!diff_bias) return tl::unexpected(diff_bias.error());
  return Descriptors{*diff_dst, *diff_bias};
}

/// Whether the library takes 16-bit inputs with an f32 output shows when it is called: a refusal is then no error of ours.
Status told(const Library& library, cudnnStatus_t status, const char* call, DataType storage) {
  if (status == CUDNN_STATUS_SUCCESS) return {};
  auto reason = cudnn::cudnn_reason(library, status, call);
  if (storage != DataType::f32 && static_cast<int>(status) / 1000 == CUDNN_STATUS_BAD_PARAM / 1000) reason.kind = Reason::Kind::unsupported;
  return tl::unexpected(std::move(reason));
}

using Run = std::function<Status(cudnnHandle_t, const void* diff_dst, void* diff_bias, Region workspace)>;

SimplePlanParts parts_of(const BiasGradientProblem& p, Device& device, std::size_t workspace_bytes, Run run) {
  SimplePlanParts parts{{p.diff_dst()}, {p.diff_bias()}, workspace_bytes, {}, {}};
  parts.alignment_bytes = 16;
  parts.bind = [&device, run = std::move(run)](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                               Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    return std::make_unique<FunctionOp>([run, h = *handle, x = in[0].region.data, y = out[0].region.data, workspace] { return run(h, x, y, workspace); });
  };
  return parts;
}

struct Setting {
  BiasGradientProblem problem;
  const Library* library;
  Descriptors descriptors;
};
Result<Setting> setting_of(const Problem& problem) {
  const auto p = parse_bias_gradient(problem);
  if (!p) return tl::unexpected(p.error());
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  // A refusal is this row's, whatever status the library gives it: here and where it is asked for a workspace.
  auto descriptors = describe(**library, *p);
  if (!descriptors) return unsupported(descriptors.error().text);
  return Setting{*p, *library, *descriptors};
}

Result<SimplePlanParts> backward_bias(const Problem& problem, Device& device) {
  auto s = setting_of(problem);
  if (!s) return tl::unexpected(s.error());
  return parts_of(s->problem, device, 0, [s = *s](cudnnHandle_t handle, const void* x, void* y, Region) {
    const float one = 1, zero = 0;
    return told(*s.library, s.library->cudnnConvolutionBackwardBias(handle, &one, s.descriptors.diff_dst.get(), x, &zero, s.descriptors.diff_bias.get(), y),
                "cudnnConvolutionBackwardBias", s.problem.types.storage);
  });
}

Result<SimplePlanParts> reduce_tensor(const Problem& problem, Device& device) {
  auto s = setting_of(problem);
  if (!s) return tl::unexpected(s.error());
  const Library& l = *s->library;
  auto reduction = cudnn::make_owned(l, l.cudnnCreateReduceTensorDescriptor, l.cudnnDestroyReduceTensorDescriptor);
  if (!reduction) return tl::unexpected(reduction.error());
  DETBENCH_CUDNN_TRY(l, cudnnSetReduceTensorDescriptor(reduction->get(), CUDNN_REDUCE_TENSOR_ADD, CUDNN_DATA_FLOAT, CUDNN_PROPAGATE_NAN,
                                                       CUDNN_REDUCE_TENSOR_NO_INDICES, CUDNN_32BIT_INDICES));
  const auto planning = cudnn::planning_handle(device);
  if (!planning) return tl::unexpected(planning.error());
  std::size_t workspace_bytes = 0;
  if (const auto status = l.cudnnGetReductionWorkspaceSize(planning->handle, reduction->get(), s->descriptors.diff_dst.get(), s->descriptors.diff_bias.get(), &workspace_bytes);
      status != CUDNN_STATUS_SUCCESS)
    return unsupported(cudnn::cudnn_reason(l, status, "cudnnGetReductionWorkspaceSize").text);
  return parts_of(s->problem, device, workspace_bytes, [s = *s, reduction = *reduction](cudnnHandle_t h, const void* x, void* y, Region workspace) {
    const float one = 1, zero = 0;
    return told(*s.library,
                s.library->cudnnReduceTensor(h, reduction.get(), nullptr, 0, workspace.data, workspace.bytes, &one, s.descriptors.diff_dst.get(), x, &zero,
                                             s.descriptors.diff_bias.get(), y),
                "cudnnReduceTensor", s.problem.types.storage);
  });
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_provider() {
  // Neither routine is on the guide's list of nondeterministic ones.
  const Claim claim = cudnn::documented_claim(false);
  return std::make_unique<cudnn::CudnnLegacyProvider>(
      std::vector<SimpleAlgorithm>{{"convolution_backward_bias", claim, true, backward_bias}, {"reduce_tensor", claim, true, reduce_tensor}});
}

}  // namespace detbench::bias_gradient
