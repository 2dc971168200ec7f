// cuDNN's legacy pooling, every mode: windows, and global averages as one window of the image's size. Backward of a maximum
// wants the forward's answer beside its input: reset() puts it into the workspace, untimed, as a training step has it.
#include "kernels/cudnn/legacy_descriptor.hpp"
#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

using cudnn::Owned;

struct Mode {
  cudnnPoolingMode_t value;
  const char* name;
};
constexpr Mode maximum_modes[] = {{CUDNN_POOLING_MAX, "max"}, {CUDNN_POOLING_MAX_DETERMINISTIC, "max_deterministic"}};
constexpr Mode average_modes[] = {{CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, "average_include_padding"},
                                  {CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING, "average_exclude_padding"}};

/// One pooling as the library is told it.
struct Request {
  cudnnPoolingMode_t mode;
  bool backward, maximum;
  std::int64_t kh, kw, sh, sw, pt, pl;
  TensorSpec x, y;  ///< the larger and the smaller side, data and gradients alike
  std::vector<TensorSpec> inputs, outputs;
};

struct Descriptors {
  Owned<cudnnPoolingDescriptor_t> pooling;
  Owned<cudnnTensorDescriptor_t> x, y;
};

Result<Descriptors> describe(const cudnn::Library& library, const Request& r) {
  auto pooling = cudnn::make_owned(library, library.cudnnCreatePoolingDescriptor, library.cudnnDestroyPoolingDescriptor);
  if (!pooling) return tl::unexpected(pooling.error());
  const auto narrow = [](std::int64_t v) { return static_cast<int>(v); };
  DETBENCH_CUDNN_TRY(library, cudnnSetPooling2dDescriptor(pooling->get(), r.mode, CUDNN_PROPAGATE_NAN, narrow(r.kh), narrow(r.kw), narrow(r.pt),
                                                          narrow(r.pl), narrow(r.sh), narrow(r.sw)));
  auto x = cudnn::make_legacy_tensor(library, r.x), y = cudnn::make_legacy_tensor(library, r.y);
  if (!x) return tl::unexpected(x.error());
  if (!y) return tl::unexpected(y.error());
  return Descriptors{*pooling, *x, *y};
}

Status forward(const cudnn::Library& library, cudnnHandle_t handle, const Descriptors& d, const void* x, void* y) {
  const float one = 1, zero = 0;
  DETBENCH_CUDNN_TRY(library, cudnnPoolingForward(handle, d.pooling.get(), &one, d.x.get(), x, &zero, d.y.get(), y));
  return {};
}

Status backward(const cudnn::Library& library, cudnnHandle_t handle, const Descriptors& d, const void* y, const void* dy, const void* x, void* dx) {
  const float one = 1, zero = 0;
  DETBENCH_CUDNN_TRY(library, cudnnPoolingBackward(handle, d.pooling.get(), &one, d.y.get(), y, d.y.get(), dy, d.x.get(), x, &zero, d.x.get(), dx));
  return {};
}

Result<SimplePlanParts> parts_of(const Request& request, Device& device) {
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  auto descriptors = describe(**library, request);
  if (!descriptors) return tl::unexpected(descriptors.error());
  SimplePlanParts parts{request.inputs, request.outputs, request.backward && request.maximum ? request.y.bytes() : 0, {}, {}};
  parts.needs_reset = request.backward && request.maximum;
  parts.bind = [&device, lib = *library, d = *descriptors, request](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                                                    Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    void *source = in[0].region.data, *target = out[0].region.data;
    if (!request.backward)
      return std::make_unique<FunctionOp>([=, h = *handle] { return forward(*lib, h, d, source, target); });
    // An average's gradient depends on neither x nor y, but the library wants memory of their size.
    if (!request.maximum)
      return std::make_unique<FunctionOp>([=, h = *handle] { return backward(*lib, h, d, source, source, target, target); });
    void *gradient = in[1].region.data, *answer = workspace.data;
    return std::make_unique<FunctionOp>([=, h = *handle] { return backward(*lib, h, d, answer, gradient, source, target); },
                                        [=, h = *handle] { return forward(*lib, h, d, source, answer); });
  };
  return parts;
}

Result<Request> window_request(const Problem& problem, cudnnPoolingMode_t mode) {
  auto p = parse_window_problem(problem);
  if (!p) return tl::unexpected(p.error());
  // The API pads both sides alike. Where as many windows start as with our pads, their pixels are the same.
  if ((p->ih + 2 * p->pt - p->kh) / p->sh + 1 != p->oh || (p->iw + 2 * p->pl - p->kw) / p->sw + 1 != p->ow)
    return unsupported("cuDNN's legacy pooling pads both sides alike; these pads give another number of windows");
  const bool pads = p->pt + p->pb + p->pl + p->pr > 0;
  if (!is_maximum(p->op) && pads && (mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING) != p->counts_padding)
    return unsupported("this mode counts padding the other way");
  return Request{mode,  is_backward(p->op), is_maximum(p->op), p->kh, p->kw, p->sh, p->sw, p->pt, p->pl, p->input(), p->output(), p->plan_inputs(),
                 p->plan_outputs()};
}

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_window_provider(WindowOp op) {
  std::vector<SimpleAlgorithm> algorithms;
  for (const Mode& mode : is_maximum(op) ? std::span<const Mode>(maximum_modes) : std::span<const Mode>(average_modes)) {
    const bool listed = op == WindowOp::max_backward && mode.value == CUDNN_POOLING_MAX;
    algorithms.push_back({mode.name, cudnn::documented_claim(listed), true, [value = mode.value](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
                            auto request = window_request(problem, value);
                            if (!request) return tl::unexpected(request.error());
                            return parts_of(*request, device);
                          }});
  }
  return std::make_unique<cudnn::CudnnLegacyProvider>(std::move(algorithms));
}

std::unique_ptr<Provider> make_cudnn_legacy_global_average_provider(bool is_backward, GlobalAverageSpecs specs) {
  std::vector<SimpleAlgorithm> algorithms;
  for (const Mode& mode : average_modes)
    algorithms.push_back({mode.name, cudnn::documented_claim(false), true,
                          [value = mode.value, is_backward, specs](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
                            auto parts = specs(problem);
                            if (!parts) return tl::unexpected(parts.error());
                            const TensorSpec& x = (is_backward ? parts->outputs : parts->inputs)[0];
                            if (!x.layout.blocks.empty()) return unsupported("cuDNN's legacy API has no blocked layouts");
                            // The same memory as the matrix (N,C), in the image's layout.
                            const Shape pixel{x.shape[0], 1, 1, x.shape[3]};
                            const TensorSpec y{"mean", DataType::f32, pixel, *activation_layout(pixel, problem.layout)};
                            return parts_of({value, is_backward, false, x.shape[1], x.shape[2], x.shape[1], x.shape[2], 0, 0, x, y, parts->inputs, parts->outputs}, device);
                          }});
  return std::make_unique<cudnn::CudnnLegacyProvider>(std::move(algorithms));
}

}  // namespace detbench::pooling
