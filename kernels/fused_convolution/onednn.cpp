// oneDNN's convolutions with a bias and a clip as a post-operation: the fused form that its inference uses on a CPU.
// Claims nothing.
#include "kernels/device/onednn_api.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/fused_convolution/operation.hpp"

namespace detbench {
namespace {

using onednn::Argument;
using Desc = dnnl::memory::desc;

/// As for convolutions alone: above this, waiting for the plain loops is not worth it.
constexpr double most_reference_flops = 2e8;

/// An implementation while it is the current one of a walk.
struct Found {
  std::string name;
  Desc src, weights, bias, dst, scratchpad;
  const std::function<dnnl::primitive()>& create;
};

/// Calls visit(Found) for every implementation until it returns false. Weights lie as the implementation likes, activations as
/// the problem says or, with `any`, as the implementation likes too.
template <class Visit>
Status walk(const FusedConvolutionProblem& p, bool any, Visit&& visit) {
  const auto specs = tensors_of(p);
  const auto activations = [&](const TensorSpec& spec) { return any ? onednn::describe_any(spec) : onednn::describe(spec); };
  const auto src = activations(specs.inputs[0]), dst = activations(specs.outputs[0]);
  const auto weights = onednn::describe_any(specs.inputs[1]), bias = onednn::describe(specs.inputs[2]);
  for (const auto* desc : {&src, &weights, &bias, &dst})
    if (!*desc) return tl::unexpected(desc->error());
  const dnnl::memory::dims strides{p.sh, p.sw}, dilates{p.dh - 1, p.dw - 1}, before{p.pt, p.pl}, after{p.pb, p.pr};
  std::map<std::string, int> seen;
  return onednn::visit_implementations_with<dnnl::convolution_forward>(
      onednn::user_scratchpad_and_clip(0, 6), std::string(op_name(p.pattern)), onednn::NoHint{},
      [&](const auto& d) {
        std::string name = d.impl_info_str();
        if (const int count = ++seen[name]; count > 1) name += ";" + std::to_string(count);
        return visit(Found{std::move(name), d.src_desc(), d.weights_desc(), d.bias_desc(), d.dst_desc(), d.scratchpad_desc(),
                           [&] { return dnnl::convolution_forward(d); }});
      },
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, *src, *weights, *bias, *dst, strides, dilates, before, after);
}

class OnednnFused final : public Provider {
 public:
  std::string_view name() const override { return "onednn"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return std::vector{none(status.error())};
    std::vector<Offer> offers;
    std::optional<Reason> reason;
    for (const bool any : {false, true}) {
      auto status = walk(*p, any, [&](const Found& found) {
        Offer offer;
        offer.algorithm = named(found.name, any);
        const auto specs = specs_of(*p, found);
        if (!specs) offer.unsupported = specs.error();
        // With the problem's own formats it is the bare arm once more.
        if (any && specs && as_in_problem(*p, *specs)) return true;
        if (found.name.starts_with("ref") && p->flops() > most_reference_flops)
          offer.unsupported = Reason{"over 2e8 operations: " + found.name + " takes 200 to 1000 times as long as a JIT kernel", Reason::Kind::unsupported};
        offers.push_back(std::move(offer));
        return true;
      });
      if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
      if (!status && !reason) reason = status.error();
    }
    if (offers.empty()) return std::vector{none(reason.value_or(Reason{"nothing offered", Reason::Kind::unsupported}))};
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    const bool any = algorithm.options == Options{{"formats", "any"}};
    if (!any && !algorithm.options.empty())
      return invalid_input("'" + algorithm_id(algorithm).substr(0, 150) + "' has options that onednn has not: formats=any it has");
    // The partition of a primitive is fixed when it is created, so the configuration must be in force here.
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    Result<std::unique_ptr<Plan>> plan =
        unsupported("oneDNN " + *onednn_version() + " offers no '" + algorithm.name.substr(0, 100) + "' for " + problem_id(problem) + " on this machine");
    auto status = walk(*p, any, [&](const Found& found) {
      if (found.name != algorithm.name) return true;
      plan = make_plan(*p, found, any, device);
      return false;
    });
    if (!status) return tl::unexpected(status.error());
    return plan;
  }

 private:
  static Status supported(const FusedConvolutionProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN runs on the CPU here");
    if (p.pattern == FusedPattern::stats) return unsupported("oneDNN fuses no statistics behind a convolution");
    if (p.types.tf32) return unsupported("a CPU has no TF32");
    if (p.types.storage == DataType::f16) return unsupported("oneDNN computes no f16 convolution on this CPU");
    if (p.types.storage == DataType::bf16 && !__builtin_cpu_supports("avx512bf16"))
      return unsupported("this CPU has no bf16 arithmetic (avx512_bf16 or AMX)");
    return {};
  }

  static Algorithm named(const std::string& name, bool any) {
    Algorithm algorithm;
    algorithm.provider = "onednn";
    algorithm.name = name;
    if (any) algorithm.options["formats"] = "any";
    return algorithm;
  }

  static Offer none(const Reason& reason) {
    Offer offer;
    offer.algorithm = named("any", false);
    offer.unsupported = reason;
    return offer;
  }

  /// The tensors in the layouts that the implementation chose.
  static Result<ConvolutionTensors> specs_of(const FusedConvolutionProblem& p, const Found& found) {
    auto tensors = tensors_of(p);
    const std::pair<TensorSpec*, const Desc*> pairs[] = {
        {&tensors.inputs[0], &found.src}, {&tensors.inputs[1], &found.weights}, {&tensors.inputs[2], &found.bias}, {&tensors.outputs[0], &found.dst}};
    for (const auto& [spec, desc] : pairs) {
      auto chosen = onednn::spec_of(*desc, *spec);
      if (!chosen) return tl::unexpected(chosen.error());
      *spec = std::move(*chosen);
    }
    return tensors;
  }

  static bool as_in_problem(const FusedConvolutionProblem& p, const ConvolutionTensors& chosen) {
    const auto asked = tensors_of(p);
    return std::equal(asked.inputs.begin(), asked.inputs.end(), chosen.inputs.begin(), same_layout) &&
           same_layout(asked.outputs[0], chosen.outputs[0]);
  }

  static Result<std::unique_ptr<Plan>> make_plan(const FusedConvolutionProblem& p, const Found& found, bool any, Device& device) {
    auto specs = specs_of(p, found);
    if (!specs) return tl::unexpected(specs.error());
    std::map<std::string, std::string> notes;
    for (const auto* list : {&specs->inputs, &specs->outputs})
      for (const auto& spec : *list) notes["layout_" + spec.role] = describe_layout(spec);
    auto primitive = onednn::guarded("creating " + found.name, [&] { return found.create(); });
    if (!primitive) return tl::unexpected(primitive.error());
    std::vector<Argument> arguments{{DNNL_ARG_SRC, found.src}, {DNNL_ARG_WEIGHTS, found.weights}, {DNNL_ARG_BIAS, found.bias}, {DNNL_ARG_DST, found.dst}};
    std::unique_ptr<Plan> plan = std::make_unique<onednn::PrimitivePlan>(std::move(*primitive), std::move(specs->inputs), std::move(specs->outputs),
                                                                         std::move(arguments), found.scratchpad, std::move(notes));
    if (!any) return plan;
    auto tensors = tensors_of(p);
    return plan_with_reorders(std::move(plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_fused_convolution() { return std::make_unique<OnednnFused>(); }

}  // namespace detbench
