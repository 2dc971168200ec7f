#include "kernels/convolution/operation.hpp"
#include "kernels/device/onednn_api.hpp"
#include "kernels/device/reorder.hpp"

namespace detbench {
namespace {

using onednn::Argument;
using Desc = dnnl::memory::desc;

/// Above this, 200 to 1000 times the time of a JIT kernel is no longer worth waiting for.
constexpr double most_reference_flops = 2e8;

/// Winograd F(4x4,3x3) multiplies by constants up to 8, divides by up to 24, and adds what cancels again: measured over
/// 16 to 512 channels, 7 to 56 pixels, all passes and fills, its errors reach 3.3 times the norm-wise bound of a direct
/// sum (1.9 without the wide fill).
constexpr double winograd_bound_constant = 8;

struct Formats {
  bool activations_any = false;  ///< else the problem's layout; weights are always the implementation's choice
};

/// An implementation while it is the current one of a walk.
struct Found {
  std::string name;
  const Desc *src, *weights, *dst;
  const Desc* scratchpad;
  const std::function<dnnl::primitive()>& create;
};

/// Calls visit(Found) for every implementation of the problem until it returns false.
template <class Visit>
Status walk(const ConvolutionProblem& p, dnnl::algorithm algorithm, const Formats& formats, Visit&& visit) {
  // All three tensors as the forward pass names them.
  auto forward = p;
  forward.direction = Direction::forward;
  const auto specs = tensors_of(forward);
  const auto activations = [&](const TensorSpec& spec) {
    return formats.activations_any ? onednn::describe_any(spec) : onednn::describe(spec);
  };
  auto weights_spec = specs.inputs[1];
  const auto forward_weights = onednn::describe_any(weights_spec);
  if (p.direction == Direction::wgrad) weights_spec.type = tensors_of(p).outputs[0].type;
  const auto src = activations(specs.inputs[0]), weights = onednn::describe_any(weights_spec), dst = activations(specs.outputs[0]);
  for (const auto* desc : {&src, &weights, &dst, &forward_weights})
    if (!*desc) return tl::unexpected(desc->error());

  const dnnl::memory::dims strides{p.sh, p.sw}, dilates{p.dh - 1, p.dw - 1}, before{p.pt, p.pl}, after{p.pb, p.pr};
  std::map<std::string, int> seen;
  const auto report = [&](const auto& descriptor, const Desc& s, const Desc& w, const Desc& d,
                          const std::function<dnnl::primitive()>& create) {
    std::string name = descriptor.impl_info_str();
    if (const int count = ++seen[name]; count > 1) name += ";" + std::to_string(count);
    const Desc scratchpad = descriptor.scratchpad_desc();
    return visit(Found{std::move(name), &s, &w, &d, &scratchpad, create});
  };
  const std::string what(op_name(p.direction));

  if (p.direction == Direction::forward)
    return onednn::visit_implementations<dnnl::convolution_forward>(
        what, onednn::NoHint{},
        [&](const auto& d) {
          return report(d, d.src_desc(), d.weights_desc(), d.dst_desc(), [&] { return dnnl::convolution_forward(d); });
        },
        dnnl::prop_kind::forward_training, algorithm, *src, *weights, *dst, strides, dilates, before, after);

  // The gradients want a forward descriptor as a hint; which implementation it is does not matter to them.
  std::optional<dnnl::convolution_forward::primitive_desc> hint;
  const auto any_src = onednn::describe_any(specs.inputs[0]), any_dst = onednn::describe_any(specs.outputs[0]);
  if (!any_src || !any_dst) return unsupported("oneDNN cannot state the activations");
  auto hinted = onednn::visit_implementations<dnnl::convolution_forward>(
      what + " (its forward hint)", onednn::NoHint{}, [&](const auto& d) { hint = d; return false; },
      dnnl::prop_kind::forward_training, algorithm, *any_src, *forward_weights, *any_dst, strides, dilates, before, after);
  if (!hinted) return hinted;

  if (p.direction == Direction::dgrad)
    return onednn::visit_implementations<dnnl::convolution_backward_data>(
        what, *hint,
        [&](const auto& d) {
          return report(d, d.diff_src_desc(), d.weights_desc(), d.diff_dst_desc(),
                        [&] { return dnnl::convolution_backward_data(d); });
        },
        algorithm, *src, *weights, *dst, strides, dilates, before, after);
  return onednn::visit_implementations<dnnl::convolution_backward_weights>(
      what, *hint,
      [&](const auto& d) {
        return report(d, d.src_desc(), d.diff_weights_desc(), d.diff_dst_desc(),
                      [&] { return dnnl::convolution_backward_weights(d); });
      },
      algorithm, *src, *weights, *dst, strides, dilates, before, after);
}

struct Specs {
  std::vector<TensorSpec> inputs, outputs;
  std::vector<Argument> arguments;
};

/// The tensors of an implementation in the order of tensors_of(), in the layouts it chose.
Result<Specs> specs_of(const ConvolutionProblem& p, const Found& found) {
  const auto tensors = tensors_of(p);
  struct Slot { int id; const Desc* desc; };
  std::vector<Slot> slots;
  switch (p.direction) {
    case Direction::forward:
      slots = {{DNNL_ARG_SRC, found.src}, {DNNL_ARG_WEIGHTS, found.weights}, {DNNL_ARG_DST, found.dst}};
      break;
    case Direction::dgrad:
      slots = {{DNNL_ARG_DIFF_DST, found.dst}, {DNNL_ARG_WEIGHTS, found.weights}, {DNNL_ARG_DIFF_SRC, found.src}};
      break;
    case Direction::wgrad:
      slots = {{DNNL_ARG_SRC, found.src}, {DNNL_ARG_DIFF_DST, found.dst}, {DNNL_ARG_DIFF_WEIGHTS, found.weights}};
      break;
  }
  Specs specs;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    auto spec = onednn::spec_of(*slots[i].desc, i < 2 ? tensors.inputs[i] : tensors.outputs[0]);
    if (!spec) return tl::unexpected(spec.error());
    (i < 2 ? specs.inputs : specs.outputs).push_back(std::move(*spec));
    specs.arguments.push_back({slots[i].id, *slots[i].desc});
  }
  return specs;
}

/// True when the implementation takes the problem's tensors as they lie, weights included.
bool as_in_problem(const ConvolutionProblem& p, const Specs& specs) {
  const auto tensors = tensors_of(p);
  return same_layout(specs.inputs[0], tensors.inputs[0]) && same_layout(specs.inputs[1], tensors.inputs[1]) &&
         same_layout(specs.outputs[0], tensors.outputs[0]);
}

class OnednnConvolution final : public Provider {
 public:
  std::string_view name() const override { return "onednn"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return std::vector{none(status.error())};
    std::vector<Offer> offers;
    std::optional<Reason> reason;
    for (const bool any : {false, true}) {
      if (any && p->layout == "blocked") continue;  // every arm of a blocked problem is in the implementation's formats
      for (const auto algorithm : {dnnl::algorithm::convolution_direct, dnnl::algorithm::convolution_winograd}) {
        auto status = walk(*p, algorithm, {any || p->layout == "blocked"}, [&](const Found& found) {
          Offer offer;
          offer.algorithm = named(found.name, any, algorithm);
          const auto specs = specs_of(*p, found);
          if (!specs) offer.unsupported = specs.error();
          // With the problem's own formats it is the bare arm once more.
          if (any && specs && as_in_problem(*p, *specs)) return true;
          if (found.name == "ref:any" && p->flops() > most_reference_flops)
            offer.unsupported = Reason{"over 2e8 operations: ref:any takes 200 to 1000 times as long as a JIT kernel",
                                       Reason::Kind::unsupported};
          offers.push_back(std::move(offer));
          return true;
        });
        if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
        if (!status && !reason) reason = status.error();  // of the direct algorithm; Winograd is seldom offered
      }
    }
    if (offers.empty()) return std::vector{none(reason.value_or(Reason{"nothing offered", Reason::Kind::unsupported}))};
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    bool any = false;
    for (const auto& [key, value] : algorithm.options) {
      if (key != "formats" || value != "any" || p->layout == "blocked")
        return invalid_input("option " + key + "=" + value +
                             " is none of onednn's: formats=any is, in problems of layout nhwc and nchw");
      any = true;
    }
    // The partition of a primitive is fixed when it is created, so the configuration must be in force here.
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    Result<std::unique_ptr<Plan>> plan = unsupported("oneDNN " + *onednn_version() + " offers no '" + algorithm.name +
                                                     "' for " + problem_id(problem) + " on this machine");
    bool matched = false;
    for (const auto kind : {dnnl::algorithm::convolution_direct, dnnl::algorithm::convolution_winograd}) {
      auto status = walk(*p, kind, {any || p->layout == "blocked"}, [&](const Found& found) {
        if (found.name != algorithm.name) return true;
        matched = true;
        plan = make_plan(*p, found, any, device);
        return false;
      });
      if (matched) return plan;
      if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
    }
    return plan;
  }

 private:
  static Status supported(const ConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN runs on the CPU here");
    if (p.types.tf32) return unsupported("a CPU has no TF32");
    if (p.types.storage == DataType::f16) return unsupported("oneDNN computes no f16 convolution on this CPU");
    if (p.types.storage == DataType::bf16 && !__builtin_cpu_supports("avx512bf16"))
      return unsupported("this CPU has no bf16 arithmetic (avx512_bf16 or AMX)");
    return {};
  }

  static Algorithm named(const std::string& name, bool any, dnnl::algorithm kind) {
    Algorithm algorithm;
    algorithm.provider = "onednn";
    algorithm.name = name;
    if (any) algorithm.options["formats"] = "any";
    if (kind == dnnl::algorithm::convolution_winograd) {
      algorithm.sum_of_products = false;
      algorithm.bound_constant = winograd_bound_constant;
    }
    return algorithm;
  }

  static Offer none(const Reason& reason) {
    Offer offer;
    offer.algorithm = named("any", false, dnnl::algorithm::convolution_direct);
    offer.unsupported = reason;
    return offer;
  }

  static Result<std::unique_ptr<Plan>> make_plan(const ConvolutionProblem& p, const Found& found, bool any, Device& device) {
    auto specs = specs_of(p, found);
    if (!specs) return tl::unexpected(specs.error());
    std::map<std::string, std::string> notes;
    for (const auto* list : {&specs->inputs, &specs->outputs})
      for (const auto& spec : *list) notes["layout_" + spec.role] = describe_layout(spec);
    auto primitive = onednn::guarded("creating " + found.name, [&] { return found.create(); });
    if (!primitive) return tl::unexpected(primitive.error());
    std::unique_ptr<Plan> plan = std::make_unique<onednn::PrimitivePlan>(
        std::move(*primitive), std::move(specs->inputs), std::move(specs->outputs), std::move(specs->arguments),
        *found.scratchpad, std::move(notes));
    if (!any) return plan;
    auto tensors = tensors_of(p);
    return plan_with_reorders(std::move(plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_convolution() { return std::make_unique<OnednnConvolution>(); }

}  // namespace detbench
