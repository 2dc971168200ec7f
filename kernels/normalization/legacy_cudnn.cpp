// cuDNN's legacy batch norm: three families of calls, each in its standard and its persistent mode. Beside the library's
// kernels an op runs ours, which its time contains: cuDNN saves the inverse deviation where this operation gives the
// variance, its backward takes the inverse deviation where this operation has the variance, and it fuses no activation but
// ReLU with a mask of its own forward: forward is batch norm and cuDNN's activation in place ("+swish"), backward is our mask
// or slope and batch norm's gradient ("swish_slope+"). With given statistics there is cudnnBatchNormalizationForwardInference.
#include "kernels/cudnn/legacy_descriptor.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/normalization/cuda_support.hpp"

namespace detbench::normalization {
namespace {

using cudnn::Library;
using cudnn::Owned;

enum class Family {
  plain,     ///< cudnnBatchNormalizationForwardTraining, ...Backward: no workspace
  extended,  ///< ...Ex with CUDNN_BATCHNORM_OPS_BN: a workspace, and a reserve space from forward to backward
  norm,      ///< cudnnNormalizationForwardTraining, ...Backward per channel: version 8's names for the same
};
struct Variant {
  const char* name;
  Family family;
  bool persistent;
};
constexpr Variant variants[] = {{"spatial", Family::plain, false},         {"spatial_persistent", Family::plain, true},
                                {"ex:spatial", Family::extended, false},   {"ex:spatial_persistent", Family::extended, true},
                                {"norm:standard", Family::norm, false},    {"norm:persist", Family::norm, true}};

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

/// The library's side of one problem.
struct Call {
  const Library* library = nullptr;
  BatchNormProblem problem;
  Variant variant{};
  Owned<cudnnTensorDescriptor_t> x;                  ///< all activations
  Owned<cudnnTensorDescriptor_t> scale, statistics;  ///< per-channel tensors; one and the same but for Family::norm
  Owned<cudnnActivationDescriptor_t> activation;
  std::size_t library_bytes = 0, reserve_bytes = 0;

  cudnnBatchNormMode_t mode() const { return variant.persistent ? CUDNN_BATCHNORM_SPATIAL_PERSISTENT : CUDNN_BATCHNORM_SPATIAL; }
  cudnnNormAlgo_t algo() const { return variant.persistent ? CUDNN_NORM_ALGO_PERSIST : CUDNN_NORM_ALGO_STANDARD; }
  bool masks() const { return problem.backward && problem.activation != Activation::none; }
  std::size_t activation_bytes() const {
    return static_cast<std::size_t>(problem.pixels() * problem.channels) * size_of(problem.storage);
  }
  /// The library's workspace, its reserve space, the inverse deviations, the masked gradient.
  std::size_t workspace_bytes() const { return masked_at() + (masks() ? align_up(activation_bytes()) : 0); }
  std::size_t reserve_at() const { return align_up(library_bytes); }
  std::size_t inverse_at() const { return reserve_at() + align_up(reserve_bytes); }
  std::size_t masked_at() const { return inverse_at() + align_up(sizeof(float) * static_cast<std::size_t>(problem.channels)); }
};

Result<Owned<cudnnTensorDescriptor_t>> make_tensor(const Library& l) {
  return cudnn::make_owned(l, l.cudnnCreateTensorDescriptor, l.cudnnDestroyTensorDescriptor);
}

Result<Call> describe(const Library& l, const BatchNormProblem& p, const BatchNormSpecs& specs, const Variant& variant) {
  Call call{&l, p, variant, {}, {}, {}, {}, 0, 0};
  auto x = cudnn::make_legacy_tensor(l, specs.inputs[0]);
  auto scale = make_tensor(l), statistics = make_tensor(l);
  for (const auto* made : {&x, &scale, &statistics})
    if (!*made) return tl::unexpected(made->error());
  call.x = *x;
  call.scale = *scale;
  call.statistics = variant.family == Family::norm ? *statistics : *scale;
  if (variant.family == Family::norm)
    DETBENCH_CUDNN_TRY(l, cudnnDeriveNormTensorDescriptor(call.scale.get(), call.statistics.get(), call.x.get(), CUDNN_NORM_PER_CHANNEL, 1));
  else
    DETBENCH_CUDNN_TRY(l, cudnnDeriveBNTensorDescriptor(call.scale.get(), call.x.get(), call.mode()));
  if (p.activation != Activation::none && !p.backward) {
    auto activation = cudnn::make_owned(l, l.cudnnCreateActivationDescriptor, l.cudnnDestroyActivationDescriptor);
    if (!activation) return tl::unexpected(activation.error());
    const auto mode = p.activation == Activation::relu ? CUDNN_ACTIVATION_RELU : p.activation == Activation::relu6 ? CUDNN_ACTIVATION_CLIPPED_RELU : CUDNN_ACTIVATION_SWISH;
    DETBENCH_CUDNN_TRY(l, cudnnSetActivationDescriptor(activation->get(), mode, CUDNN_PROPAGATE_NAN, p.activation == Activation::relu6 ? 6.0 : 0.0));
    if (p.activation == Activation::swish) DETBENCH_CUDNN_TRY(l, cudnnSetActivationDescriptorSwishBeta(activation->get(), 1.0));
    call.activation = *activation;
  }
  return call;
}

/// Asks for the sizes of workspace and reserve space; what the library refuses here does not exist for the problem.
Status ask_sizes(Call& c, cudnnHandle_t h) {
  const Library& l = *c.library;
  const auto x = c.x.get(), scale = c.scale.get(), statistics = c.statistics.get();
  const auto ops = CUDNN_BATCHNORM_OPS_BN;
  const auto norm_ops = CUDNN_NORM_OPS_NORM;
  const auto mode = CUDNN_NORM_PER_CHANNEL;
  switch (c.variant.family) {
    case Family::plain: return {};
    case Family::extended:
      if (c.problem.backward)
        DETBENCH_CUDNN_TRY(l, cudnnGetBatchNormalizationBackwardExWorkspaceSize(h, c.mode(), ops, x, x, x, nullptr, x, scale, nullptr, &c.library_bytes));
      else
        DETBENCH_CUDNN_TRY(l, cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(h, c.mode(), ops, x, nullptr, x, scale, nullptr, &c.library_bytes));
      DETBENCH_CUDNN_TRY(l, cudnnGetBatchNormalizationTrainingExReserveSpaceSize(h, c.mode(), ops, nullptr, x, &c.reserve_bytes));
      return {};
    case Family::norm:
      if (c.problem.backward)
        DETBENCH_CUDNN_TRY(l, cudnnGetNormalizationBackwardWorkspaceSize(h, mode, norm_ops, c.algo(), x, x, x, nullptr, x, scale, nullptr, statistics, &c.library_bytes, 1));
      else
        DETBENCH_CUDNN_TRY(l, cudnnGetNormalizationForwardTrainingWorkspaceSize(h, mode, norm_ops, c.algo(), x, nullptr, x, scale, nullptr, statistics, &c.library_bytes, 1));
      DETBENCH_CUDNN_TRY(l, cudnnGetNormalizationTrainingReserveSpaceSize(h, mode, norm_ops, c.algo(), nullptr, x, &c.reserve_bytes, 1));
      return {};
  }
  return {};
}

/// A Call with its memory.
class LegacyOp final : public Op {
 public:
  LegacyOp(Call call, cudnnHandle_t handle, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, void* stream)
      : c_(std::move(call)), handle_(handle), inputs_(inputs.begin(), inputs.end()), outputs_(outputs.begin(), outputs.end()),
        workspace_(static_cast<std::byte*>(workspace.data)), stream_(stream) {}

  Status enqueue() override { return c_.problem.backward ? backward() : c_.problem.inference ? inference() : forward(); }

  /// The persistent mode may sum scaled integers, which overflow where values are too large; the outputs are then NaN and the
  /// library says so when it is asked (developer guide of version 8). Asked between runs, because it waits for the stream.
  Status reset() override {
    if (!c_.variant.persistent || c_.problem.inference) return {};
    cudnnStatus_t found = CUDNN_STATUS_SUCCESS;
    const auto asked = c_.library->cudnnQueryRuntimeError(handle_, &found, CUDNN_ERRQUERY_BLOCKING, nullptr);
    if (asked == CUDNN_STATUS_SUCCESS && found == CUDNN_STATUS_RUNTIME_FP_OVERFLOW)
      return failure("cuDNN reports an overflow in an earlier run of a persistent batch norm: its range of values is limited");
    return {};
  }

 private:
  void* in(std::size_t i) const { return inputs_[i].region.data; }
  void* out(std::size_t i) const { return outputs_[i].region.data; }
  float* inverse() const { return reinterpret_cast<float*>(workspace_ + c_.inverse_at()); }
  void* reserve() const { return c_.reserve_bytes > 0 ? workspace_ + c_.reserve_at() : nullptr; }
  void* scratch() const { return c_.library_bytes > 0 ? workspace_ : nullptr; }
  static constexpr double epsilon = batch_norm_epsilon;

  Status forward() {
    const Library& l = *c_.library;
    const auto x = c_.x.get(), scale = c_.scale.get(), statistics = c_.statistics.get();
    const float one = 1, zero = 0;
    switch (c_.variant.family) {
      case Family::plain:
        DETBENCH_CUDNN_TRY(l, cudnnBatchNormalizationForwardTraining(handle_, c_.mode(), &one, &zero, x, in(0), x, out(0), scale, in(1), in(2), 1.0,
                                                                     nullptr, nullptr, epsilon, out(1), inverse()));
        break;
      case Family::extended:
        DETBENCH_CUDNN_TRY(l, cudnnBatchNormalizationForwardTrainingEx(handle_, c_.mode(), CUDNN_BATCHNORM_OPS_BN, &one, &zero, x, in(0), nullptr, nullptr,
                                                                       x, out(0), scale, in(1), in(2), 1.0, nullptr, nullptr, epsilon, out(1), inverse(),
                                                                       nullptr, scratch(), c_.library_bytes, reserve(), c_.reserve_bytes));
        break;
      case Family::norm:
        DETBENCH_CUDNN_TRY(l, cudnnNormalizationForwardTraining(handle_, CUDNN_NORM_PER_CHANNEL, CUDNN_NORM_OPS_NORM, c_.algo(), &one, &zero, x, in(0), scale,
                                                                in(1), in(2), 1.0, statistics, nullptr, nullptr, epsilon, out(1), inverse(), nullptr, nullptr,
                                                                nullptr, x, out(0), scratch(), c_.library_bytes, reserve(), c_.reserve_bytes, 1));
    }
    if (auto s = enqueue_variance_from_inverse(inverse(), static_cast<float*>(out(2)), c_.problem.channels, stream_); !s) return s;
    return activate();
  }

  Status inference() {
    const float one = 1, zero = 0;
    DETBENCH_CUDNN_TRY(*c_.library, cudnnBatchNormalizationForwardInference(handle_, c_.mode(), &one, &zero, c_.x.get(), in(0), c_.x.get(), out(0),
                                                                            c_.scale.get(), in(1), in(2), in(3), in(4), batch_norm_epsilon));
    return activate();
  }

  Status activate() {
    const float one = 1, zero = 0;
    if (c_.activation)
      DETBENCH_CUDNN_TRY(*c_.library, cudnnActivationForward(handle_, c_.activation.get(), &one, c_.x.get(), out(0), &zero, c_.x.get(), out(0)));
    return {};
  }

  Status backward() {
    const Library& l = *c_.library;
    const auto x = c_.x.get(), scale = c_.scale.get(), statistics = c_.statistics.get();
    const float one = 1, zero = 0;
    const void* gradient = in(1);
    if (auto s = enqueue_inverse_from_variance(static_cast<const float*>(in(3)), inverse(), c_.problem.channels, stream_); !s) return s;
    if (c_.masks()) {
      void* masked = workspace_ + c_.masked_at();
      if (auto s = enqueue_through(c_.problem, inputs_, masked, stream_); !s) return s;
      gradient = masked;
    }
    // Nothing of a forward without activation is said to be kept there: zeroes stand for a forward that was not cuDNN's.
    if (c_.reserve_bytes > 0) {
      const cudaError_t error = cudaMemsetAsync(reserve(), 0, c_.reserve_bytes, static_cast<cudaStream_t>(stream_));
      if (error != cudaSuccess) return tl::unexpected(cuda_reason(error, "cudaMemsetAsync", __FILE__));
    }
    switch (c_.variant.family) {
      case Family::plain:
        DETBENCH_CUDNN_TRY(l, cudnnBatchNormalizationBackward(handle_, c_.mode(), &one, &zero, &one, &zero, x, in(0), x, gradient, x, out(0), scale, in(4),
                                                              out(1), out(2), epsilon, in(2), inverse()));
        break;
      case Family::extended:
        DETBENCH_CUDNN_TRY(l, cudnnBatchNormalizationBackwardEx(handle_, c_.mode(), CUDNN_BATCHNORM_OPS_BN, &one, &zero, &one, &zero, x, in(0), nullptr,
                                                                nullptr, x, gradient, nullptr, nullptr, x, out(0), scale, in(4), nullptr, out(1), out(2),
                                                                epsilon, in(2), inverse(), nullptr, scratch(), c_.library_bytes, reserve(), c_.reserve_bytes));
        break;
      case Family::norm:
        DETBENCH_CUDNN_TRY(l, cudnnNormalizationBackward(handle_, CUDNN_NORM_PER_CHANNEL, CUDNN_NORM_OPS_NORM, c_.algo(), &one, &zero, &one, &zero, x, in(0),
                                                         nullptr, nullptr, x, gradient, nullptr, nullptr, x, out(0), scale, in(4), nullptr, out(1), out(2),
                                                         epsilon, statistics, in(2), inverse(), nullptr, scratch(), c_.library_bytes, reserve(),
                                                         c_.reserve_bytes, 1));
    }
    return {};
  }

  Call c_;
  cudnnHandle_t handle_;
  std::vector<Tensor> inputs_, outputs_;
  std::byte* workspace_;
  void* stream_;
};

std::map<std::string, std::string> notes_of(const Call& c) {
  std::map<std::string, std::string> notes{{"activation_layout", c.problem.layout}};
  if (!c.problem.inference)
    notes["conversions"] = c.problem.backward ? "inverse deviation computed from the variance by a kernel of ours, timed with the op"
                                            : "variance computed from cuDNN's inverse deviation by a kernel of ours, timed with the op";
  const std::string name(to_text(c.problem.activation));
  if (c.masks()) notes[name] = "a kernel of ours before the library's gradient";
  if (c.activation) notes[name] = "cuDNN's own, in place";
  if (c.variant.family != Family::plain) notes["reserve_space_bytes"] = std::to_string(c.reserve_bytes);
  if (c.problem.backward && c.reserve_bytes > 0) notes["reserve_space"] = "zeroed in every run: no forward of cuDNN's came before";
  return notes;
}

std::string name_of(const Variant& variant, const Problem& problem) {
  const auto p = parse_batch_norm(problem);
  if (!p || p->activation == Activation::none) return variant.name;
  if (p->backward) return std::string(gradient_prefix(p->activation)) + variant.name;
  return std::string(variant.name) + (p->activation == Activation::relu6 ? "+clipped_relu" : "+" + std::string(to_text(p->activation)));
}

Result<SimplePlanParts> make_parts(const Problem& problem, Device& device, const Variant& variant) {
  auto p = parse_batch_norm(problem);
  if (!p) return tl::unexpected(p.error());
  if (p->layout != "nhwc" && p->layout != "nchw") return unsupported("cuDNN's batch norm takes nhwc and nchw; " + p->layout + " is a CPU's layout");
  auto specs = batch_norm_specs(*p, p->layout);
  if (!specs) return tl::unexpected(specs.error());
  auto library = cudnn::library();
  if (!library) return tl::unexpected(library.error());
  // A refusal is this row's, whatever status the library gives it: here and where it is asked for sizes.
  auto call = describe(**library, *p, *specs, variant);
  if (!call) return unsupported(call.error().text);
  if (variant.family != Family::plain) {
    const auto planning = cudnn::planning_handle(device);
    if (!planning) return tl::unexpected(planning.error());
    if (auto asked = ask_sizes(*call, planning->handle); !asked) return unsupported(asked.error().text);
  }
  SimplePlanParts parts{specs->inputs, specs->outputs, call->workspace_bytes(), {}, notes_of(*call)};
  parts.alignment_bytes = 16;
  parts.bind = [&device, call = *call](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace,
                                       Stream& stream) -> Result<std::unique_ptr<Op>> {
    auto handle = cudnn::handle_for(device, stream);
    if (!handle) return tl::unexpected(handle.error());
    return std::make_unique<LegacyOp>(call, *handle, in, out, workspace, stream.native());
  };
  return parts;
}

/// The names depend on the op, so that the provider holds one list per op.
class LegacyProvider final : public Provider {
 public:
  std::string_view name() const override { return "cudnn_legacy"; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override { return of(problem).offers(problem, device); }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    return of(problem).plan(problem, algorithm, device);
  }

 private:
  static cudnn::CudnnLegacyProvider of(const Problem& problem) {
    std::vector<SimpleAlgorithm> algorithms;
    const auto p = parse_batch_norm(problem);
    for (const auto& variant : variants) {
      if (p && p->inference && variant.family != Family::plain) continue;
      algorithms.push_back({name_of(variant, problem), cudnn::documented_claim(false), true,
                            [variant](const Problem& given, Device& device) { return make_parts(given, device, variant); }});
    }
    return cudnn::CudnnLegacyProvider(std::move(algorithms));
  }
};

}  // namespace

std::unique_ptr<Provider> make_cudnn_legacy_provider() { return std::make_unique<LegacyProvider>(); }

}  // namespace detbench::normalization
