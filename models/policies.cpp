#include "models/policies.hpp"

#include <algorithm>
#include <optional>

#include "models/framework_rules.hpp"
#include "models/problems.hpp"

namespace detbench {
namespace {

/// Ops of a layer in a train step and in inference; the layout is the one an nhwc network has there.
struct PosedOp {
  std::string op, layout;
};

std::string activation_op(Activation activation, const char* end) { return std::string(to_text(activation)) + end; }

std::string batch_norm_op(Activation activation, const char* end) {
  return "batch_norm_" + (activation == Activation::none ? "" : std::string(to_text(activation)) + "_") + end;
}

std::vector<PosedOp> ops_of(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::convolution: {
      std::vector<PosedOp> ops{{"conv_fwd", "nhwc"}, {"conv_wgrad", "nhwc"}};
      if (layer.inputs[0] != 0) ops.push_back({"conv_dgrad", "nhwc"});  // the images need no gradient
      if (layer.bias) ops.insert(ops.end(), {{"bias_add", "nhwc"}, {"bias_grad", "nhwc"}});
      return ops;
    }
    case LayerKind::batch_norm:
      return {{batch_norm_op(layer.activation, "fwd"), "nhwc"}, {batch_norm_op(layer.activation, "bwd"), "nhwc"}, {batch_norm_op(layer.activation, "inference"), "nhwc"}};
    case LayerKind::activation: return {{activation_op(layer.activation, "_fwd"), "vector"}, {activation_op(layer.activation, "_bwd"), "vector"}};
    case LayerKind::add: return {{"add", "vector"}};
    case LayerKind::scale_channels: return {{"scale_channels_fwd", "nhwc"}, {"scale_channels_bwd", "nhwc"}};
    case LayerKind::global_avg_pool: return {{"global_avg_pool_fwd", "nhwc"}, {"global_avg_pool_bwd", "nhwc"}};
    case LayerKind::max_pool: return {{"max_pool_fwd", "nhwc"}, {"max_pool_bwd", "nhwc"}};
    case LayerKind::dense: return {{"dense_fwd", "rowmajor"}, {"dense_dgrad", "rowmajor"}, {"dense_wgrad", "rowmajor"}};
    case LayerKind::softmax_cross_entropy: return {{"softmax_cross_entropy", "plain"}};
    // What nothing selects: copies, views and masks.
    case LayerKind::rescaling:
    case LayerKind::normalization:
    case LayerKind::flatten:
    case LayerKind::dropout: return {};
  }
  return {};
}

std::string layout_of_op(const std::string& op) {
  if (op.starts_with("dense_")) return "rowmajor";
  if (op == "softmax_cross_entropy") return "plain";
  if (op == "add" || ((op.ends_with("_fwd") || op.ends_with("_bwd")) && (op.starts_with("relu") || op.starts_with("swish") || op.starts_with("sigmoid")))) return "vector";
  return "nhwc";
}

/// The first wish that can be planned; the error says why none could. What is right only after a reset() is taken where nothing
/// else answers: the planner of a step passes it over and says so.
Result<Algorithm> first_that_works(const Operation& operation, const Problem& problem, const std::vector<Wish>& wishes, Device& device) {
  std::string reasons;
  std::optional<Algorithm> wants_reset;
  const auto note = [&](const std::string& who, const std::string& why) { reasons += (reasons.empty() ? "" : "; ") + who + ": " + why; };
  for (const auto& wish : wishes) {
    const auto* provider = operation.find_provider(wish.algorithm.provider);
    if (provider == nullptr) continue;
    std::vector<Offer> tries{{wish.algorithm, std::nullopt}};
    if (wish.algorithm.name.empty()) {
      auto offers = provider->offers(problem, device);
      if (!offers) {
        note(wish.algorithm.provider, offers.error().text);
        continue;
      }
      tries = std::move(*offers);
    }
    for (const auto& offer : tries) {
      const auto id = algorithm_id(offer.algorithm);
      if (offer.unsupported) note(id, offer.unsupported->text);
      else if (wish.claimed && offer.algorithm.claim.guarantee == Guarantee::not_guaranteed) note(id, "claims nothing about its bits");
      else if (auto plan = provider->plan(problem, offer.algorithm, device); !plan) note(id, plan.error().text);
      else if (!(*plan)->needs_reset()) return offer.algorithm;
      else if (!wants_reset) wants_reset = offer.algorithm;
    }
  }
  if (wants_reset) return std::move(*wants_reset);
  return unsupported(reasons.empty() ? "nobody answers it" : reasons);
}

/// Long lists of reasons are cut: the first ones are those of the arms that the policy wants most.
std::string shortened(const std::string& text) { return text.size() <= 600 ? text : text.substr(0, 600) + " ..."; }

/// A gradient of 16-bit weights is posed in two spellings, of which a planner takes one: cuDNN writes it in 16 bits, ours in f32.
template <class Works>
bool other_spelling_works(const Problem& problem, const std::vector<Problem>& problems, const Works& works) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& other) {
    return other.op == problem.op && other.shape == problem.shape && other.types != problem.types && works(other);
  });
}

Result<Selection> by_wishes(const BuiltInPolicy& policy, std::vector<Wish> (*wishes)(const Problem&), const std::vector<Problem>& problems,
                            const Registry& registry, Device& device) {
  Selection selection;
  for (const auto& problem : problems) {
    const auto* operation = registry.find(problem.op);
    if (operation == nullptr) continue;
    if (auto good = operation->check(problem); !good) return tl::unexpected(Reason{"policy '" + policy.name + "', " + problem_id(problem) + ": " + good.error().text, good.error().kind});
    auto algorithm = first_that_works(*operation, problem, wishes(problem), device);
    if (!algorithm && other_spelling_works(problem, problems, [&](const Problem& other) { return first_that_works(*operation, other, wishes(other), device).has_value(); })) continue;
    if (!algorithm) return unsupported("policy '" + policy.name + "' cannot be met by " + problem.op + " (" + problem_id(problem) + "): " + shortened(algorithm.error().text));
    algorithm->claim = {};
    selection.set(problem, {problem.layout, std::move(*algorithm)});
  }
  return selection;
}

/// Every op that has a fixed_order provider takes it, whatever its problem; a network's op without one is refused.
Result<Selection> fixed_order(const std::vector<Problem>& problems, const std::string& types, const Registry& registry, Device& device) {
  if (types.ends_with("_tf32")) return unsupported("policy 'fixed_order' does not exist for " + types + ": tensor cores add in an order of their own");
  Selection selection;
  for (const auto& operation : registry.operations()) {
    const std::string op(operation->op());
    if (operation->find_provider("fixed_order") != nullptr) selection.set_default(op, {layout_of_op(op), {"fixed_order", "", {}, {}}});
  }
  for (const auto& problem : problems) {
    const auto* operation = registry.find(problem.op);
    if (operation == nullptr) continue;
    if (selection.find(problem) == nullptr) return unsupported("policy 'fixed_order' cannot be met by " + problem.op + ": it has no fixed-order kernel");
    auto offers = operation->find_provider("fixed_order")->offers(problem, device);
    if (!offers) return tl::unexpected(Reason{"policy 'fixed_order', " + problem_id(problem) + ": " + offers.error().text, offers.error().kind});
    const auto offered = [](const Result<std::vector<Offer>>& list) {
      return list && std::any_of(list->begin(), list->end(), [](const Offer& offer) { return !offer.unsupported; });
    };
    const auto here = [&](const Problem& other) { return offered(operation->find_provider("fixed_order")->offers(other, device)); };
    if (!offered(offers) && !other_spelling_works(problem, problems, here))
      return unsupported("policy 'fixed_order' cannot be met by " + problem.op + " (" + problem_id(problem) + "): " +
                         (offers->empty() ? "nothing is offered" : shortened(offers->front().unsupported->text)));
  }
  return selection;
}

}  // namespace

const std::vector<BuiltInPolicy>& built_in_policies() {
  static const std::vector<BuiltInPolicy> policies{
      {"library_heuristic", "none", "what the library offers first"},
      {"framework_default_deterministic", "run_to_run", "PyTorch's pinned cuDNN algorithm per direction; elsewhere the library's first that claims run_to_run"},
      {"first_workable_deterministic", "run_to_run", "TensorFlow 2.8 and later: the first deterministic algorithm of its list that works"},
      {"tf_cudnn_deterministic", "none", "TF_CUDNN_DETERMINISTIC: convolution and max-pool alone; everything else as by default, atomic bias gradients included"},
      {"fixed_order", "partition", "our own kernels end to end: same bits on every device"}};
  return policies;
}

const BuiltInPolicy* find_built_in_policy(std::string_view name) {
  const auto& all = built_in_policies();
  const auto found = std::find_if(all.begin(), all.end(), [&](const BuiltInPolicy& policy) { return policy.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<Problem> posed_problems(const Network& network, std::int64_t batch, const std::string& types) {
  std::vector<Problem> problems;
  const auto add = [&](Problem problem) {
    if (std::find(problems.begin(), problems.end(), problem) == problems.end()) problems.push_back(std::move(problem));
  };
  for (const auto& layer : network.layers)
    for (const auto& posed : ops_of(layer)) {
      auto problem = layer_problem(layer, batch, posed.op, types, posed.layout);
      add(problem);
      if (posed.op != "conv_wgrad") continue;
      problem.types = weight_gradient_types(problem.types, WeightGradients::as_data);
      add(std::move(problem));
    }
  return problems;
}

Result<Selection> built_in_selection(std::string_view policy, const Network& network, std::int64_t batch, const std::string& types,
                                     const Registry& registry, Device& device) {
  const auto* known = find_built_in_policy(policy);
  if (known == nullptr) {
    std::string names;
    for (const auto& p : built_in_policies()) names += (names.empty() ? "" : ", ") + p.name;
    return invalid_input("there is no built-in policy '" + std::string(policy.substr(0, 60)) + "': " + names + " are");
  }
  const bool gpu = device.kind() == DeviceKind::cuda;
  const bool everywhere = known->name == "fixed_order" || known->name == "library_heuristic";
  if (!gpu && !everywhere) return unsupported("policy '" + known->name + "' says which algorithms of cuDNN are taken; it has no meaning on a CPU");
  auto problems = posed_problems(network, batch, types);
  // Some small ops exist in f32 only; the planner casts their tensors.
  for (auto& problem : problems)
    if (const auto* operation = registry.find(problem.op); operation != nullptr && !operation->check(problem)) problem.types = "f32_f32_strict";
  Result<Selection> selection = Selection{};
  if (known->name == "fixed_order") selection = fixed_order(problems, types, registry, device);
  else if (known->name == "framework_default_deterministic") selection = by_wishes(*known, pytorch_wishes, problems, registry, device);
  else if (known->name == "first_workable_deterministic") selection = by_wishes(*known, tensorflow_wishes, problems, registry, device);
  else if (known->name == "tf_cudnn_deterministic") selection = by_wishes(*known, tf_cudnn_wishes, problems, registry, device);
  else if (gpu) selection = by_wishes(*known, gpu_library_wishes, problems, registry, device);
  if (!selection) return selection;
  selection->name = known->name;
  selection->demand = known->demand;
  // oneDNN's first choices are made for its own blocked layouts: without rules the planner asks for them. The rest, cuDNN's
  // tensor-core kernels above all, keeps channels last.
  selection->activation_layout = !gpu && known->name == "library_heuristic" ? "blocked" : "nhwc";
  return selection;
}

}  // namespace detbench
