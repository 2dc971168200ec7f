#include "models/inference.hpp"

#include <cmath>

#include "kernels/simple_operation.hpp"
#include "kernels/tensor/compare.hpp"
#include "models/filled_values.hpp"
#include "models/inference_plan.hpp"
#include "models/initializers.hpp"
#include "models/reference_network.hpp"

namespace detbench {
namespace {

Result<bool> parse_folded(const Options& options) {
  for (const auto& [key, value] : options) {
    if (key != "bn") return invalid_input("inference has no option '" + key.substr(0, 60) + "'; it has bn");
    if (value != "separate" && value != "folded") return invalid_input("bn=" + value.substr(0, 60) + " is not possible: separate and folded are");
    return value == "folded";
  }
  return false;
}

class InferenceProvider final : public Provider {
 public:
  InferenceProvider(PolicySource source, std::shared_ptr<const Registry> kernels) : source_(std::move(source)), kernels_(std::move(kernels)) {}
  std::string_view name() const override { return "network"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    const auto foldable = fold_batch_norm(*network);
    const bool has_norms = network->moving_count() > 0;
    std::vector<Offer> offers;
    for (const auto& policy : policy_names(source_)) {
      const auto selection = select_policy(policy, source_, *network, p->batch, p->types, *kernels_, device);
      for (const bool folded : {false, true}) {
        if (folded && !has_norms) continue;
        Offer offer{{"network", policy, {}, {}, false, 1.0}, std::nullopt};
        if (folded) offer.algorithm.options["bn"] = "folded";
        if (policy == "fixed_order") offer.algorithm.claim = claim_by_construction();
        if (!selection) offer.unsupported = selection.error();
        else if (folded && !foldable) offer.unsupported = foldable.error();
        offers.push_back(std::move(offer));
      }
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto p = parse_step_problem(problem);
    if (!p) return tl::unexpected(p.error());
    auto folded = parse_folded(algorithm.options);
    if (!folded) return tl::unexpected(folded.error());
    auto network = network_of(*p);
    if (!network) return tl::unexpected(network.error());
    std::shared_ptr<const FoldedNetwork> fold;
    if (*folded) {
      auto made = fold_batch_norm(*network);
      if (!made) return tl::unexpected(made.error());
      fold = std::make_shared<const FoldedNetwork>(std::move(*made));
    }
    auto chosen = select_policy(algorithm.name, source_, *network, p->batch, p->types, *kernels_, device);
    if (!chosen) return tl::unexpected(chosen.error());
    auto program = plan_inference_program(fold ? fold->network : *network, p->batch, *chosen, p->types, *kernels_, device);
    if (!program) return tl::unexpected(program.error());
    auto plan = std::make_unique<InferencePlan>(std::move(*program), fold, *network, device);
    if (auto fits = fits_in_memory(plan->memory_bytes(), device); !fits) return tl::unexpected(Reason{problem_id(problem) + " " + fits.error().text, fits.error().kind});
    return plan;
  }

 private:
  PolicySource source_;
  std::shared_ptr<const Registry> kernels_;
};

class InferenceReference final : public Reference {
 public:
  InferenceReference(std::vector<double> logits, std::string types) : logits_(std::move(logits)), types_(std::move(types)) {}
  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    if (outputs.size() != 1) return invalid_input("inference has one output, the logits");
    Verification found;
    double squared = 0, norm = 0;
    const auto count = element_count(outputs[0].spec.shape);
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = element_as_double(outputs[0], i);
      if (!std::isfinite(value)) found.reason = "logits[" + std::to_string(i) + "] is not finite";
      if (logits_.empty()) continue;
      const auto rounded = static_cast<float>(logits_[i]), actual = static_cast<float>(value);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(actual), std::bit_cast<std::uint32_t>(rounded)));
      squared += (value - logits_[i]) * (value - logits_[i]), norm += logits_[i] * logits_[i];
      ++found.checked;
    }
    found.outputs = static_cast<std::uint64_t>(count);
    found.relative_l2 = norm > 0 ? std::sqrt(squared / norm) : std::sqrt(squared);
    found.bound_ratio = found.relative_l2 / inference_tolerance(types_);
    if (!(found.bound_ratio <= 1) && found.reason.empty())
      found.reason = "the logits' relative error is " + std::to_string(found.relative_l2) + ", allowed are " + std::to_string(inference_tolerance(types_));
    found.passed = found.reason.empty();
    return found;
  }

 private:
  const std::vector<double> logits_;  ///< empty: the network is too large for fp64 in reasonable time
  const std::string types_;
};

class InferenceOperation final : public Operation {
 public:
  InferenceOperation(const std::string& family, const PolicySource& source, const std::shared_ptr<const Registry>& kernels) : op_("inference_" + family) {
    providers_.push_back(std::make_unique<InferenceProvider>(source, kernels));
  }
  std::string_view op() const override { return op_; }
  Status check(const Problem& problem) const override {
    if (auto p = parse_step_problem(problem); !p) return tl::unexpected(p.error());
    return {};
  }
  /// 2 operations per multiply-add; bytes: parameters once, activations are left out, they depend on fusion.
  Cost cost(const Problem& problem) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return {};
    return {2 * static_cast<double>(network->macs()) * static_cast<double>(p->batch), 4.0 * static_cast<double>(network->trainable_count())};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  bool has_exact_fill() const override { return false; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    return fill_of(*network, input.role, inputs.seed);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    if (static_cast<double>(network->macs()) * static_cast<double>(p->batch) > 4 * reference_macs) return std::make_unique<InferenceReference>(std::vector<double>{}, p->types);
    const auto values = [&](const std::string& role, const Shape& shape) { return filled_values(shape, fill_of(*network, role, inputs.seed)); };
    auto images = values("images", {p->batch, network->image.height, network->image.width, network->image.channels});
    if (!images) return tl::unexpected(images.error());
    std::vector<std::vector<double>> parameters, moving;
    for (const auto& q : network->parameters()) {
      auto numbers = values(q.name, q.shape);
      if (!numbers) return tl::unexpected(numbers.error());
      parameters.push_back(std::move(*numbers));
    }
    ReferenceNetwork reference(*network, p->batch, std::move(*images), std::vector<std::int32_t>(static_cast<std::size_t>(p->batch), 0));
    auto state = reference.initial_state(std::move(parameters));
    std::size_t at = 0;
    for (const auto& l : network->layers)
      if (l.kind == LayerKind::batch_norm)
        for (const char* role : {"/moving_mean", "/moving_variance"}) {
          auto numbers = values(l.name + role, {l.out.channels});
          if (!numbers) return tl::unexpected(numbers.error());
          state.moving[at++] = std::move(*numbers);
        }
    return std::make_unique<InferenceReference>(reference.logits(state), p->types);
  }

  Result<std::int64_t> batch_size(const Problem& problem) const override {
    auto p = parse_step_problem(problem);
    if (!p) return tl::unexpected(p.error());
    return p->batch;
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    auto larger = *p;
    larger.batch = batch;
    const BatchSlice slice{position, p->batch};
    std::size_t shared = network->parameters().size();
    for (const auto& l : network->layers) shared += l.kind == LayerKind::batch_norm ? 2 : 0;
    BatchVariant variant{to_problem(larger), {slice}, {slice}};
    variant.inputs.resize(1 + shared);
    return variant;
  }

 private:
  static Result<FillSpec> fill_of(const Network& network, const std::string& role, std::uint64_t seed) {
    const auto constant = [&](double value) { return FillSpec{FillSpec::Kind::constant, seed, role, value, 1, 1.0}; };
    if (role == "images") return image_fill(network, seed);
    // Statistics of activations that are centred and neither grow nor fade; means are not zero, so that folding shows.
    if (role.ends_with("/moving_mean")) return FillSpec{FillSpec::Kind::uniform, seed, "moving/" + role, 0.1, 1, 1.0};
    if (role.ends_with("/moving_variance")) return constant(0.5);
    for (const auto& parameter : network.parameters())
      if (parameter.name == role) return initial_fill(network, parameter, seed);
    return invalid_input("inference with " + network.name + " has no input '" + role + "'");
  }
  const std::string op_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

double inference_tolerance(const std::string& types) {
  if (types == "f32_f32_strict") return 2e-3;
  return types.starts_with("bf16") ? 0.4 : 0.06;
}

std::vector<std::unique_ptr<Operation>> make_inference_operations(const PolicySource& source, std::shared_ptr<const Registry> kernels) {
  if (!kernels) kernels = make_network_registry();
  std::vector<std::unique_ptr<Operation>> all;
  for (const auto& family : model_families()) all.push_back(std::make_unique<InferenceOperation>(family, source, kernels));
  return all;
}

}  // namespace detbench
