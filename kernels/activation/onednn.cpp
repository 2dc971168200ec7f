// oneDNN's ReLU, swish and sigmoid, every implementation.
#include <optional>

#include "kernels/activation/parts.hpp"
#include "kernels/device/onednn_implementations.hpp"

namespace detbench::activation {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::eltwise_forward;
using Backward = dnnl::eltwise_backward;
dnnl::algorithm algorithm_of(Activation activation) {
  switch (activation) {
    case Activation::relu: return dnnl::algorithm::eltwise_relu;
    case Activation::sigmoid: return dnnl::algorithm::eltwise_logistic;
    default: return dnnl::algorithm::eltwise_swish;
  }
}
/// swish: x * sigmoid(alpha * x); relu: the slope below zero; sigmoid: without meaning. The second number has none here.
float alpha_of(Activation activation) { return activation == Activation::swish ? 1.0f : 0.0f; }

// 3.x asks for the descriptors of both sides, 2.x for one.
template <class Visit>
Status visit_forward(Activation activation, const Desc& data, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Forward>("eltwise", onednn::NoHint{}, visit, dnnl::prop_kind::forward_training, algorithm_of(activation), data, data, alpha_of(activation), 0.0f);
#else
  return onednn::visit_implementations<Forward>("eltwise", onednn::NoHint{}, visit, dnnl::prop_kind::forward_training, algorithm_of(activation), data, alpha_of(activation), 0.0f);
#endif
}
template <class Visit>
Status visit_backward(Activation activation, const Desc& data, const Forward::primitive_desc& hint, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Backward>("eltwise", hint, visit, algorithm_of(activation), data, data, data, alpha_of(activation), 0.0f);
#else
  return onednn::visit_implementations<Backward>("eltwise", hint, visit, algorithm_of(activation), data, data, alpha_of(activation), 0.0f);
#endif
}

Status visit_problem(Kind kind, const SimplePlanParts& specs, const onednn::Visit& visit) {
  auto data = onednn::describe(specs.inputs[0]);
  if (!data) return tl::unexpected(data.error());
  const auto plan_of = [&](dnnl::primitive primitive, std::vector<onednn::Argument> arguments, const Desc& scratchpad) -> std::unique_ptr<Plan> {
    return std::make_unique<onednn::PrimitivePlan>(std::move(primitive), specs.inputs, specs.outputs, std::move(arguments), scratchpad,
                                                   std::map<std::string, std::string>{});
  };
  if (!kind.backward)
    return visit_forward(kind.activation, *data, [&](Forward::primitive_desc& pd) {
      return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
        return plan_of(Forward(pd), {{DNNL_ARG_SRC, *data}, {DNNL_ARG_DST, *data}}, pd.scratchpad_desc());
      });
    });
  std::optional<Forward::primitive_desc> hint;
  if (auto s = visit_forward(kind.activation, *data, [&](Forward::primitive_desc& pd) { return hint = pd, false; }); !s) return s;
  return visit_backward(kind.activation, *data, *hint, [&](Backward::primitive_desc& pd) {
    return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
      return plan_of(Backward(pd), {{DNNL_ARG_SRC, *data}, {DNNL_ARG_DIFF_DST, *data}, {DNNL_ARG_DIFF_SRC, *data}}, pd.scratchpad_desc());
    });
  });
}

}  // namespace

std::unique_ptr<Provider> make_onednn_eltwise_provider(Kind kind, Specs specs) {
  return std::make_unique<onednn::ImplementationsProvider>(false, [kind, specs](const Problem& problem, const onednn::Visit& visit) -> Status {
    auto given = specs(problem);
    if (!given) return tl::unexpected(given.error());
    return visit_problem(kind, *given, visit);
  });
}

}  // namespace detbench::activation
