// oneDNN's pooling over windows, every implementation. Backward of a maximum wants the winners that the forward pass kept:
// reset() puts them into the workspace, untimed, as a training step has them.
#include <optional>

#include "kernels/device/onednn_implementations.hpp"
#include "kernels/pooling/kept_forward.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::pooling_forward;
using Backward = dnnl::pooling_backward;
using dnnl::algorithm;

/// What the library is told of a problem.
struct Request {
  WindowProblem problem;
  algorithm mode;
  Desc large, small;
  dnnl::memory::dims strides, window, pads_before, pads_behind;
};

Result<Request> request_of(const Problem& problem) {
  auto p = parse_window_problem(problem);
  if (!p) return tl::unexpected(p.error());
  auto large = onednn::describe(p->input()), small = onednn::describe(p->output());
  if (!large) return tl::unexpected(large.error());
  if (!small) return tl::unexpected(small.error());
  const auto mode = is_maximum(p->op)   ? algorithm::pooling_max
                    : p->counts_padding ? algorithm::pooling_avg_include_padding
                                        : algorithm::pooling_avg_exclude_padding;
  return Request{*p, mode, *large, *small, {p->sh, p->sw}, {p->kh, p->kw}, {p->pt, p->pl}, {p->pb, p->pr}};
}

// 3.x asks for dilations, which count from 0.
template <class Visit>
Status visit_forward(const Request& r, dnnl::prop_kind kind, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Forward>("pooling", onednn::NoHint{}, visit, kind, r.mode, r.large, r.small, r.strides, r.window,
                                                dnnl::memory::dims{0, 0}, r.pads_before, r.pads_behind);
#else
  return onednn::visit_implementations<Forward>("pooling", onednn::NoHint{}, visit, kind, r.mode, r.large, r.small, r.strides, r.window, r.pads_before,
                                                r.pads_behind);
#endif
}
template <class Visit>
Status visit_backward(const Request& r, const Forward::primitive_desc& hint, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Backward>("pooling", hint, visit, r.mode, r.large, r.small, r.strides, r.window, dnnl::memory::dims{0, 0},
                                                 r.pads_before, r.pads_behind);
#else
  return onednn::visit_implementations<Backward>("pooling", hint, visit, r.mode, r.large, r.small, r.strides, r.window, r.pads_before, r.pads_behind);
#endif
}

std::unique_ptr<Plan> plan_of(dnnl::primitive primitive, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                              std::vector<onednn::Argument> arguments, const Desc& scratchpad) {
  return std::make_unique<onednn::PrimitivePlan>(std::move(primitive), std::move(inputs), std::move(outputs), std::move(arguments), scratchpad,
                                                 std::map<std::string, std::string>{});
}

/// The first implementation of the forward pass of training, copied out: in 3.x a walk changes its descriptor in place.
Result<Forward::primitive_desc> hint_of(const Request& r) {
  std::optional<Forward::primitive_desc> hint;
  const auto status = visit_forward(r, dnnl::prop_kind::forward_training, [&](Forward::primitive_desc& pd) { return hint = pd, false; });
  if (!status) return tl::unexpected(status.error());
  return *hint;
}

Status visit_problem(const Problem& problem, const onednn::Visit& visit) {
  auto r = request_of(problem);
  if (!r) return tl::unexpected(r.error());
  const auto inputs = r->problem.plan_inputs(), outputs = r->problem.plan_outputs();
  if (!is_backward(r->problem.op))
    return visit_forward(*r, dnnl::prop_kind::forward_inference, [&](Forward::primitive_desc& pd) {
      return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
        return plan_of(Forward(pd), inputs, outputs, {{DNNL_ARG_SRC, r->large}, {DNNL_ARG_DST, r->small}}, pd.scratchpad_desc());
      });
    });
  auto hint = hint_of(*r);
  if (!hint) return tl::unexpected(hint.error());
  const bool maximum = is_maximum(r->problem.op);
  return visit_backward(*r, *hint, [&](Backward::primitive_desc& pd) {
    return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
      if (!maximum) return plan_of(Backward(pd), inputs, outputs, {{DNNL_ARG_DIFF_DST, r->small}, {DNNL_ARG_DIFF_SRC, r->large}}, pd.scratchpad_desc());
      // The winners are opaque bytes to us.
      const Shape bytes{static_cast<std::int64_t>(hint->workspace_desc().get_size())};
      const TensorSpec winners{"winners", DataType::u8, bytes, canonical_layout(bytes)};
      TensorSpec answer = r->problem.output();
      answer.role = "dst";
      auto backward = plan_of(Backward(pd), {inputs[1], winners}, outputs,
                              {{DNNL_ARG_DIFF_DST, r->small}, {DNNL_ARG_WORKSPACE, pd.workspace_desc()}, {DNNL_ARG_DIFF_SRC, r->large}}, pd.scratchpad_desc());
      auto forward = plan_of(Forward(*hint), {inputs[0]}, {answer, winners},
                             {{DNNL_ARG_SRC, r->large}, {DNNL_ARG_DST, r->small}, {DNNL_ARG_WORKSPACE, hint->workspace_desc()}}, hint->scratchpad_desc());
      return std::make_unique<KeptForwardPlan>(inputs, std::move(forward), std::move(backward));
    });
  });
}

}  // namespace

std::unique_ptr<Provider> make_onednn_window_provider(WindowOp op) {
  return std::make_unique<onednn::ImplementationsProvider>(is_maximum(op), visit_problem);
}

}  // namespace detbench::pooling
