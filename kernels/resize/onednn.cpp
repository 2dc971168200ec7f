// oneDNN's backward of linear resampling, every implementation. Its rule is the same: position (o + 1/2) I/O - 1/2, in f32,
// kept within the image.
#include <optional>

#include "kernels/device/onednn_implementations.hpp"
#include "kernels/resize/parts.hpp"

namespace detbench::resize {
namespace {

using Forward = dnnl::resampling_forward;
using Backward = dnnl::resampling_backward;

Status visit_problem(const Problem& problem, const onednn::Visit& visit) {
  const auto p = parse_resize(problem);
  if (!p) return tl::unexpected(p.error());
  const auto parts = resize_parts(*p);
  if (!parts) return tl::unexpected(parts.error());
  const auto small = onednn::describe(parts->inputs[0]), large = onednn::describe(parts->outputs[0]);
  if (!small) return tl::unexpected(small.error());
  if (!large) return tl::unexpected(large.error());
  constexpr auto linear = dnnl::algorithm::resampling_linear;
  // The first implementation of the forward pass, copied out: in 3.x a walk changes its descriptor in place.
  std::optional<Forward::primitive_desc> hint;
  const auto found = onednn::visit_implementations<Forward>(
      "resampling", onednn::NoHint{}, [&](Forward::primitive_desc& pd) { return hint = pd, false; }, dnnl::prop_kind::forward_training, linear, *large, *small);
  if (!found) return found;
  return onednn::visit_implementations<Backward>(
      "resampling", *hint,
      [&](Backward::primitive_desc& pd) {
        return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
          return std::make_unique<onednn::PrimitivePlan>(Backward(pd), parts->inputs, parts->outputs,
                                                         std::vector<onednn::Argument>{{DNNL_ARG_DIFF_DST, *small}, {DNNL_ARG_DIFF_SRC, *large}},
                                                         pd.scratchpad_desc(), std::map<std::string, std::string>{});
        });
      },
      linear, *large, *small);
}

}  // namespace

std::unique_ptr<Provider> make_onednn_provider() { return std::make_unique<onednn::ImplementationsProvider>(true, visit_problem); }

}  // namespace detbench::resize
