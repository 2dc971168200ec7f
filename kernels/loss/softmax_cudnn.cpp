// cuDNN's legacy softmax, every algorithm over both modes. A row is N of an N,C,1,1 tensor, so both modes sum the same
// elements, by kernels of their own.
#include "kernels/cudnn/legacy_descriptor.hpp"
#include "kernels/loss/parts.hpp"

namespace detbench::rows {
namespace {

struct Row {
  cudnnSoftmaxAlgorithm_t algorithm;
  cudnnSoftmaxMode_t mode;
  const char* name;
};
constexpr Row all_rows[] = {{CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_INSTANCE, "accurate:instance"},
                            {CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_CHANNEL, "accurate:channel"},
                            {CUDNN_SOFTMAX_FAST, CUDNN_SOFTMAX_MODE_INSTANCE, "fast:instance"},
                            {CUDNN_SOFTMAX_FAST, CUDNN_SOFTMAX_MODE_CHANNEL, "fast:channel"},
                            {CUDNN_SOFTMAX_LOG, CUDNN_SOFTMAX_MODE_INSTANCE, "log:instance"},
                            {CUDNN_SOFTMAX_LOG, CUDNN_SOFTMAX_MODE_CHANNEL, "log:channel"}};

Status run(const cudnn::Library& library, cudnnHandle_t handle, const Row& row, cudnnTensorDescriptor_t t, const void* a, const void* b, void* out) {
  const float one = 1, zero = 0;
  if (b == nullptr)
    DETBENCH_CUDNN_TRY(library, cudnnSoftmaxForward(handle, row.algorithm, row.mode, &one, t, a, &zero, t, out));
  else
    DETBENCH_CUDNN_TRY(library, cudnnSoftmaxBackward(handle, row.algorithm, row.mode, &one, t, a, t, b, &zero, t, out));
  return {};
}

Result<SimplePlanParts> parts_of(const Row& row, SimplePlanParts parts, Device& device) {
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  auto tensor = cudnn::make_legacy_tensor(**library, parts.inputs[0]);
  if (!tensor) return tl::unexpected(tensor.error());
  parts.alignment_bytes = 16;
  parts.bind = [&device, lib = *library, t = *tensor, row](std::span<const Tensor> in, std::span<const Tensor> out, Region,
                                                           Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    const void *a = in[0].region.data, *b = in.size() > 1 ? in[1].region.data : nullptr;
    return std::make_unique<FunctionOp>([=, h = *handle, target = out[0].region.data] { return run(*lib, h, row, t.get(), a, b, target); });
  };
  return parts;
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_softmax_provider(bool log, Specs specs) {
  std::vector<SimpleAlgorithm> algorithms;
  for (const Row& row : all_rows) {
    if ((row.algorithm == CUDNN_SOFTMAX_LOG) != log) continue;
    algorithms.push_back({row.name, cudnn::documented_claim(false), false, [row, specs](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
                            auto parts = specs(problem);
                            if (!parts) return parts;
                            return parts_of(row, std::move(*parts), device);
                          }});
  }
  return std::make_unique<cudnn::CudnnLegacyProvider>(std::move(algorithms));
}

}  // namespace detbench::rows
