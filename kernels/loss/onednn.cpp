// oneDNN's softmax and log-softmax, every implementation.
#include <optional>

#include "kernels/device/onednn_implementations.hpp"
#include "kernels/loss/parts.hpp"

namespace detbench::rows {
namespace {

using Desc = dnnl::memory::desc;
#if DNNL_VERSION_MAJOR >= 3
using Forward = dnnl::softmax_forward;
using Backward = dnnl::softmax_backward;
#else
using Forward = dnnl::softmax_v2_forward;  // the form that 3.x kept
using Backward = dnnl::softmax_v2_backward;
#endif
constexpr int axis = 1;

template <class Visit>
Status visit_forward(dnnl::algorithm kind, const Desc& data, Visit&& visit) {
  return onednn::visit_implementations<Forward>("softmax", onednn::NoHint{}, visit, dnnl::prop_kind::forward_training, kind, data, data, axis);
}

Status visit_problem(bool backward, bool log, const SimplePlanParts& specs, const onednn::Visit& visit) {
  auto data = onednn::describe(specs.inputs[0]);
  if (!data) return tl::unexpected(data.error());
  const auto kind = log ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate;
  const auto plan_of = [&](dnnl::primitive primitive, std::vector<onednn::Argument> arguments, const Desc& scratchpad) -> std::unique_ptr<Plan> {
    return std::make_unique<onednn::PrimitivePlan>(std::move(primitive), specs.inputs, specs.outputs, std::move(arguments), scratchpad,
                                                   std::map<std::string, std::string>{});
  };
  if (!backward)
    return visit_forward(kind, *data, [&](Forward::primitive_desc& pd) {
      return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
        return plan_of(Forward(pd), {{DNNL_ARG_SRC, *data}, {DNNL_ARG_DST, *data}}, pd.scratchpad_desc());
      });
    });
  std::optional<Forward::primitive_desc> hint;
  if (auto s = visit_forward(kind, *data, [&](Forward::primitive_desc& pd) { return hint = pd, false; }); !s) return s;
  return onednn::visit_implementations<Backward>(
      "softmax", *hint,
      [&](Backward::primitive_desc& pd) {
        return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
          return plan_of(Backward(pd), {{DNNL_ARG_DST, *data}, {DNNL_ARG_DIFF_DST, *data}, {DNNL_ARG_DIFF_SRC, *data}}, pd.scratchpad_desc());
        });
      },
      kind, *data, *data, *data, axis);
}

}  // namespace

/// Measured with 2.6: answers of its generated logarithm lie up to 5 times outside the bound that a faithful one meets.
constexpr double logarithm_bound_constant = 8;

std::unique_ptr<Provider> make_onednn_softmax_provider(bool backward, bool log, Specs specs) {
  return std::make_unique<onednn::ImplementationsProvider>(false, [=](const Problem& problem, const onednn::Visit& visit) -> Status {
    auto given = specs(problem);
    if (!given) return tl::unexpected(given.error());
    return visit_problem(backward, log, *given, visit);
  }, log ? logarithm_bound_constant : 1.0);
}

}  // namespace detbench::rows
