// cuDNN's legacy tensor reduction as a full sum, of the vector as an image (cudnn_image.hpp); its dimensions are in the notes.
#include <limits>

#include "kernels/cudnn/legacy_descriptor.hpp"
#include "kernels/reduction/cuda_sums.hpp"
#include "kernels/reduction/cudnn_image.hpp"

namespace detbench::reduction {
namespace {

using cudnn::Library;

/// Whether the library takes 16-bit inputs with an f32 output, or one element, of which no dimension is left to reduce, shows when
/// it is called: a refusal is then no error of ours.
Status told(const Library& library, cudnnStatus_t status, const SumProblem& p) {
  if (status == CUDNN_STATUS_SUCCESS) return {};
  auto reason = cudnn::cudnn_reason(library, status, "cudnnReduceTensor");
  if ((size_of(p.stored) == 2 || p.n == 1) && static_cast<int>(status) / 1000 == CUDNN_STATUS_BAD_PARAM / 1000) reason.kind = Reason::Kind::unsupported;
  return tl::unexpected(std::move(reason));
}

Result<SimplePlanParts> reduce_tensor(const Problem& text, Device& device) {
  const auto problem = parse_sum(text);
  if (!problem) return tl::unexpected(problem.error());
  const SumProblem p = *problem;
  if (p.is_dot) return unsupported("cuDNN's reduction takes one tensor: it has no dot product");
  if (p.n > std::numeric_limits<int>::max()) return unsupported("cuDNN's legacy API counts elements in int");
  const auto loaded = cudnn::library();
  if (!loaded) return tl::unexpected(loaded.error());
  const Library& library = **loaded;
  const std::int64_t w = image_width(p.n);
  auto x = cudnn::make_legacy_tensor(library, image_spec("src", p.stored, p.n));
  auto y = cudnn::make_legacy_tensor(library, image_spec("dst", p.accumulator, 1));
  // A refusal is this row's, whatever status the library gives it.
  if (!x) return unsupported(x.error().text);
  if (!y) return unsupported(y.error().text);
  auto reduction = cudnn::make_owned(library, library.cudnnCreateReduceTensorDescriptor, library.cudnnDestroyReduceTensorDescriptor);
  if (!reduction) return tl::unexpected(reduction.error());
  DETBENCH_CUDNN_TRY(library, cudnnSetReduceTensorDescriptor(reduction->get(), CUDNN_REDUCE_TENSOR_ADD, cudnn::data_type(p.accumulator),
                                                             CUDNN_PROPAGATE_NAN, CUDNN_REDUCE_TENSOR_NO_INDICES, CUDNN_32BIT_INDICES));
  const auto planning = cudnn::planning_handle(device);
  if (!planning) return tl::unexpected(planning.error());
  std::size_t workspace_bytes = 0;
  if (const auto status = library.cudnnGetReductionWorkspaceSize(planning->handle, reduction->get(), x->get(), y->get(), &workspace_bytes);
      status != CUDNN_STATUS_SUCCESS)
    return unsupported(cudnn::cudnn_reason(library, status, "cudnnGetReductionWorkspaceSize").text);

  SimplePlanParts parts;
  parts.inputs = {{"src", p.stored, {p.n}, canonical_layout({p.n})}};
  parts.outputs = {{"dst", p.accumulator, {1}, canonical_layout({1})}};
  parts.workspace_bytes = workspace_bytes;
  parts.notes["dimensions"] = "1,1," + std::to_string(p.n / w) + "," + std::to_string(w);
  parts.bind = [&device, &library, p, x = *x, y = *y, reduction = *reduction](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                                                             Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    return std::make_unique<FunctionOp>([=, &library, h = *handle, source = in[0].region.data, target = out[0].region.data] {
      // The factors have the accumulator's type.
      const float one = 1, zero = 0;
      const double wide_one = 1, wide_zero = 0;
      const bool wide = p.accumulator == DataType::f64;
      return told(library,
                  library.cudnnReduceTensor(h, reduction.get(), nullptr, 0, workspace.data, workspace.bytes, wide ? static_cast<const void*>(&wide_one) : &one,
                                            x.get(), source, wide ? static_cast<const void*>(&wide_zero) : &zero, y.get(), target),
                  p);
    });
  };
  return parts;
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_sums() {
  // The routine is not on the guide's list of nondeterministic ones.
  return std::make_unique<cudnn::CudnnLegacyProvider>(
      std::vector<SimpleAlgorithm>{{"reduce_tensor", cudnn::documented_claim(false), true, reduce_tensor}});
}

}  // namespace detbench::reduction
