// oneDNN's binary multiplication and addition, every implementation: the second operand is one value per channel, of each image
// (scales, N x C x 1 x 1) or of all (biases, 1 x C x 1 x 1).
#include "kernels/channelwise/parts.hpp"
#include "kernels/device/onednn_implementations.hpp"

namespace detbench::channelwise {
namespace {

using Desc = dnnl::memory::desc;

Status visit_problem(const Problem& problem, const onednn::Visit& visit) {
  const auto p = parse_channelwise(problem);
  if (!p) return tl::unexpected(p.error());
  const auto specs = channelwise_specs(*p);
  if (!specs) return tl::unexpected(specs.error());
  const auto data = onednn::describe(specs->inputs[0]);
  if (!data) return tl::unexpected(data.error());
  const auto type = onednn::data_type_of(specs->inputs[1].type);
  if (!type) return unsupported("oneDNN has no such type");
  const bool bias = p->pass == ChannelwisePass::bias_add;
  const Desc values({bias ? 1 : p->batch, p->channels, 1, 1}, *type, dnnl::memory::format_tag::abcd);
  const auto algorithm = bias ? dnnl::algorithm::binary_add : dnnl::algorithm::binary_mul;
  return onednn::visit_implementations<dnnl::binary>("binary", onednn::NoHint{}, [&](dnnl::binary::primitive_desc& pd) {
    return visit(pd.impl_info_str(), [&]() -> Result<std::unique_ptr<Plan>> {
      return std::make_unique<onednn::PrimitivePlan>(dnnl::binary(pd), specs->inputs, specs->outputs,
                                                     std::vector<onednn::Argument>{{DNNL_ARG_SRC_0, *data}, {DNNL_ARG_SRC_1, values}, {DNNL_ARG_DST, *data}},
                                                     pd.scratchpad_desc(), std::map<std::string, std::string>{});
    });
  }, algorithm, *data, values, *data);
}

}  // namespace

std::unique_ptr<Provider> make_onednn_provider() { return std::make_unique<onednn::ImplementationsProvider>(true, visit_problem); }

}  // namespace detbench::channelwise
