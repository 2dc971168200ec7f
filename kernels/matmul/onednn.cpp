#include "kernels/device/onednn_api.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/matmul/operation.hpp"

namespace detbench {
namespace {

using onednn::Argument;
using Desc = dnnl::memory::desc;

constexpr double most_reference_flops = 2e8;

/// An implementation while it is the current one of a walk.
struct Found {
  std::string name;
  Desc src, weights, bias, dst, scratchpad;
  const std::function<dnnl::primitive()>& create;
};

/// Calls visit(Found) for every implementation until it returns false. `any`: all formats are the implementation's
/// choice; else only the weights'.
template <class Visit>
Status walk(const DenseProblem& p, bool any, Visit&& visit) {
  auto forward = p;
  forward.pass = DensePass::forward;
  const auto specs = tensors_of(forward);
  auto weights_spec = specs.inputs[1];
  if (p.pass == DensePass::wgrad) weights_spec.type = DataType::f32;
  const auto activations = [&](const TensorSpec& spec) { return any ? onednn::describe_any(spec) : onednn::describe(spec); };
  const auto src = activations(specs.inputs[0]), dst = activations(specs.outputs[0]), bias = onednn::describe(specs.inputs[2]);
  const auto weights = onednn::describe_any(weights_spec), forward_weights = onednn::describe_any(specs.inputs[1]);
  for (const auto* desc : {&src, &weights, &dst, &bias, &forward_weights})
    if (!*desc) return tl::unexpected(desc->error());

  std::map<std::string, int> seen;
  const auto report = [&](const auto& d, const Desc& s, const Desc& w, const Desc& b, const Desc& t,
                          const std::function<dnnl::primitive()>& create) {
    std::string name = d.impl_info_str();
    if (const int count = ++seen[name]; count > 1) name += ";" + std::to_string(count);
    return visit(Found{std::move(name), s, w, b, t, d.scratchpad_desc(), create});
  };
  const std::string what(op_name(p.pass));

  if (p.pass == DensePass::forward)
    return onednn::visit_implementations<dnnl::inner_product_forward>(
        what, onednn::NoHint{},
        [&](const auto& d) {
          return report(d, d.src_desc(), d.weights_desc(), d.bias_desc(), d.dst_desc(),
                        [&] { return dnnl::inner_product_forward(d); });
        },
        dnnl::prop_kind::forward_training, *src, *weights, *bias, *dst);

  std::optional<dnnl::inner_product_forward::primitive_desc> hint;
  auto hinted = onednn::visit_implementations<dnnl::inner_product_forward>(
      what + " (its forward hint)", onednn::NoHint{}, [&](const auto& d) { hint = d; return false; },
      dnnl::prop_kind::forward_training, *src, *forward_weights, *bias, *dst);
  if (!hinted) return hinted;
  if (p.pass == DensePass::dgrad)
    return onednn::visit_implementations<dnnl::inner_product_backward_data>(
        what, *hint,
        [&](const auto& d) {
          return report(d, d.diff_src_desc(), d.weights_desc(), Desc(), d.diff_dst_desc(),
                        [&] { return dnnl::inner_product_backward_data(d); });
        },
        *src, *weights, *dst);
  return onednn::visit_implementations<dnnl::inner_product_backward_weights>(
      what, *hint,
      [&](const auto& d) {
        return report(d, d.src_desc(), d.diff_weights_desc(), d.diff_bias_desc(), d.diff_dst_desc(),
                      [&] { return dnnl::inner_product_backward_weights(d); });
      },
      *src, *weights, *bias, *dst);
}

struct Specs {
  std::vector<TensorSpec> inputs, outputs;
  std::vector<Argument> arguments;
};

/// The tensors of an implementation in the order of tensors_of(), in the layouts it chose.
Result<Specs> specs_of(const DenseProblem& p, const Found& found) {
  const auto tensors = tensors_of(p);
  std::vector<Argument> slots;
  switch (p.pass) {
    case DensePass::forward:
      slots = {{DNNL_ARG_SRC, found.src}, {DNNL_ARG_WEIGHTS, found.weights}, {DNNL_ARG_BIAS, found.bias}, {DNNL_ARG_DST, found.dst}};
      break;
    case DensePass::dgrad:
      slots = {{DNNL_ARG_DIFF_DST, found.dst}, {DNNL_ARG_WEIGHTS, found.weights}, {DNNL_ARG_DIFF_SRC, found.src}};
      break;
    case DensePass::wgrad:
      slots = {{DNNL_ARG_SRC, found.src}, {DNNL_ARG_DIFF_DST, found.dst}, {DNNL_ARG_DIFF_WEIGHTS, found.weights}, {DNNL_ARG_DIFF_BIAS, found.bias}};
      break;
  }
  Specs specs;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const bool input = i < tensors.inputs.size();
    auto spec = onednn::spec_of(slots[i].desc, input ? tensors.inputs[i] : tensors.outputs[i - tensors.inputs.size()]);
    if (!spec) return tl::unexpected(spec.error());
    (input ? specs.inputs : specs.outputs).push_back(std::move(*spec));
  }
  specs.arguments = std::move(slots);
  return specs;
}

bool as_in_problem(const DenseProblem& p, const Specs& specs) {
  const auto tensors = tensors_of(p);
  bool same = true;
  for (std::size_t i = 0; i < tensors.inputs.size(); ++i) same = same && same_layout(specs.inputs[i], tensors.inputs[i]);
  for (std::size_t i = 0; i < tensors.outputs.size(); ++i) same = same && same_layout(specs.outputs[i], tensors.outputs[i]);
  return same;
}

class OnednnDense final : public Provider {
 public:
  std::string_view name() const override { return "onednn"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return std::vector{none(status.error())};
    std::vector<Offer> offers;
    Reason reason{"nothing offered", Reason::Kind::unsupported};
    for (const bool reordered : {false, true}) {
      if (reordered && p->layout == "blocked") continue;
      auto status = walk(*p, reordered || p->layout == "blocked", [&](const Found& found) {
        Offer offer;
        offer.algorithm.provider = "onednn";
        offer.algorithm.name = found.name;
        if (reordered) offer.algorithm.options["formats"] = "any";
        const auto specs = specs_of(*p, found);
        if (!specs) offer.unsupported = specs.error();
        if (reordered && specs && as_in_problem(*p, *specs)) return true;  // the bare arm once more
        if (found.name == "ref:any" && p->flops() > most_reference_flops)
          offer.unsupported = Reason{"over 2e8 operations: ref:any takes 200 to 1000 times as long as a JIT kernel",
                                     Reason::Kind::unsupported};
        offers.push_back(std::move(offer));
        return true;
      });
      if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
      if (!status) reason = status.error();
    }
    if (offers.empty()) return std::vector{none(reason)};
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    bool reordered = false;
    for (const auto& [key, value] : algorithm.options) {
      if (key != "formats" || value != "any" || p->layout == "blocked")
        return invalid_input("option " + key + "=" + value +
                             " is none of onednn's: formats=any is, in problems of layout rowmajor");
      reordered = true;
    }
    // The partition of a primitive is fixed when it is created, so the configuration must be in force here.
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    Result<std::unique_ptr<Plan>> plan = unsupported("oneDNN " + *onednn_version() + " offers no '" + algorithm.name +
                                                     "' for " + problem_id(problem) + " on this machine");
    bool matched = false;
    auto status = walk(*p, reordered || p->layout == "blocked", [&](const Found& found) {
      if (found.name != algorithm.name) return true;
      matched = true;
      plan = make_plan(*p, found, reordered, device);
      return false;
    });
    if (!matched && !status) return tl::unexpected(status.error());
    return plan;
  }

 private:
  static Status supported(const DenseProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN runs on the CPU here");
    if (p.types.tf32) return unsupported("a CPU has no TF32");
    if (p.types.storage == DataType::f16) return unsupported("oneDNN computes no f16 inner product on this CPU");
    if (p.types.storage == DataType::bf16 && !__builtin_cpu_supports("avx512bf16"))
      return unsupported("this CPU has no bf16 arithmetic (avx512_bf16 or AMX)");
    return {};
  }

  static Offer none(const Reason& reason) {
    Offer offer;
    offer.algorithm.provider = "onednn";
    offer.algorithm.name = "any";
    offer.unsupported = reason;
    return offer;
  }

  static Result<std::unique_ptr<Plan>> make_plan(const DenseProblem& p, const Found& found, bool reordered, Device& device) {
    auto specs = specs_of(p, found);
    if (!specs) return tl::unexpected(specs.error());
    std::map<std::string, std::string> notes;
    for (const auto* list : {&specs->inputs, &specs->outputs})
      for (const auto& spec : *list) notes["layout_" + spec.role] = describe_layout(spec);
    auto primitive = onednn::guarded("creating " + found.name, [&] { return found.create(); });
    if (!primitive) return tl::unexpected(primitive.error());
    std::unique_ptr<Plan> plan = std::make_unique<onednn::PrimitivePlan>(
        std::move(*primitive), std::move(specs->inputs), std::move(specs->outputs), std::move(specs->arguments),
        found.scratchpad, std::move(notes));
    if (!reordered) return plan;
    auto tensors = tensors_of(p);
    return plan_with_reorders(std::move(plan), std::move(tensors.inputs), std::move(tensors.outputs), device);
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_dense() { return std::make_unique<OnednnDense>(); }

}  // namespace detbench
