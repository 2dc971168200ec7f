#include "kernels/device/onednn_api.hpp"
#include "kernels/matmul/matmul_operation.hpp"
#include "kernels/matmul/product.hpp"

namespace detbench {
namespace {

constexpr double most_reference_flops = 2e8;

Status supported(const MatmulProblem& p, Device& device) {
  if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN runs on the CPU here");
  if (p.types.tf32) return unsupported("a CPU has no TF32");
  if (p.types.storage == DataType::f16) return unsupported("oneDNN computes no f16 matrix product on this CPU");
  if (p.types.storage == DataType::bf16 && !__builtin_cpu_supports("avx512bf16"))
    return unsupported("this CPU has no bf16 arithmetic (avx512_bf16 or AMX)");
  return {};
}

/// Calls visit(name, primitive_desc, arguments) for every implementation until it returns false. Equal names are told
/// apart as the other operations do: the second one is "name;2".
template <class Visit>
Status walk(const MatmulProblem& p, Visit&& visit) {
  const auto tensors = tensors_of(p);
  const auto a = onednn::describe(tensors.inputs[0]), b = onednn::describe(tensors.inputs[1]), c = onednn::describe(tensors.outputs[0]);
  for (const auto* desc : {&a, &b, &c})
    if (!*desc) return tl::unexpected(desc->error());
  const std::vector<onednn::Argument> arguments{{DNNL_ARG_SRC, *a}, {DNNL_ARG_WEIGHTS, *b}, {DNNL_ARG_DST, *c}};
  std::map<std::string, int> seen;
  return onednn::visit_implementations<dnnl::matmul>(
      "matmul", onednn::NoHint{},
      [&](const auto& d) {
        std::string name = d.impl_info_str();
        if (const int count = ++seen[name]; count > 1) name += ";" + std::to_string(count);
        return visit(name, d, arguments);
      },
      *a, *b, *c);
}

class OnednnMatmul final : public Provider {
 public:
  std::string_view name() const override { return "onednn"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return no_offers(name(), status.error());
    std::vector<Offer> offers;
    const auto status = walk(*p, [&](const std::string& implementation, const auto&, const auto&) {
      Offer offer;
      offer.algorithm.provider = "onednn";
      offer.algorithm.name = implementation;
      if (implementation.starts_with("ref") && p->flops() > most_reference_flops)
        offer.unsupported = Reason{"over 2e8 operations: " + implementation + " takes 200 to 1000 times as long as a JIT kernel", Reason::Kind::unsupported};
      offers.push_back(std::move(offer));
      return true;
    });
    if (!status && status.error().kind != Reason::Kind::unsupported) return tl::unexpected(status.error());
    if (offers.empty()) return no_offers(name(), status ? Reason{"nothing offered", Reason::Kind::unsupported} : status.error());
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    if (!algorithm.options.empty()) return invalid_input("oneDNN's matrix products have no options, not '" + algorithm_id(algorithm) + "'");
    // The partition of a primitive is fixed when it is created, so the configuration must be in force here.
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    Result<std::unique_ptr<Plan>> plan =
        unsupported("oneDNN " + *onednn_version() + " offers no '" + algorithm.name.substr(0, 100) + "' for " + problem_id(problem) + " on this machine");
    bool matched = false;
    const auto status = walk(*p, [&](const std::string& implementation, const auto& descriptor, const auto& arguments) {
      if (implementation != algorithm.name) return true;
      matched = true;
      auto tensors = tensors_of(*p);
      auto primitive = onednn::guarded("creating " + implementation, [&]() -> dnnl::primitive { return dnnl::matmul(descriptor); });
      if (!primitive) plan = tl::unexpected(primitive.error());
      else
        plan = std::make_unique<onednn::PrimitivePlan>(std::move(*primitive), std::move(tensors.inputs), std::move(tensors.outputs), arguments,
                                                       descriptor.scratchpad_desc(), std::map<std::string, std::string>{});
      return false;
    });
    if (!matched && !status) return tl::unexpected(status.error());
    return plan;
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_matmul() { return std::make_unique<OnednnMatmul>(); }

}  // namespace detbench
