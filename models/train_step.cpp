#include "models/train_step.hpp"

#include <algorithm>
#include <charconv>

#include "kernels/simple_operation.hpp"
#include "models/filled_values.hpp"
#include "models/initializers.hpp"
#include "models/policies.hpp"
#include "models/train_step_reference.hpp"

namespace detbench {
namespace {

constexpr int max_steps = 1000;

template <class T>
Result<T> number_of(const std::string& key, const std::string& text, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= least && value <= most))
    return invalid_input(key + "=" + text.substr(0, 60) + " is not possible: " + key + " is a number from " + std::to_string(least) + " to " + std::to_string(most));
  return value;
}

Result<OptimizerSpec> optimizer_of(const std::string& text) {
  if (text == "sgd") return OptimizerSpec{.momentum = 0.9};
  if (text == "rmsprop") return OptimizerSpec{.kind = OptimizerSpec::rmsprop};
  if (text == "adam") return OptimizerSpec{.kind = OptimizerSpec::adam};
  return invalid_input("optimizer=" + text.substr(0, 60) + " is not possible: sgd, rmsprop and adam are");
}

class NetworkProvider final : public Provider {
 public:
  NetworkProvider(PolicySource source, std::shared_ptr<const Registry> kernels) : source_(std::move(source)), kernels_(std::move(kernels)) {}
  std::string_view name() const override { return "network"; }

  /// Every policy; on a GPU each of them launch by launch and as one graph, and the two-stream forms for the library's own.
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    std::vector<Offer> offers;
    for (const auto& policy : policy_names(source_)) {
      const auto selection = select_policy(policy, source_, *network, p->batch, p->types, *kernels_, device);
      for (auto execution : all_executions) {
        if (execution != Execution::launches && device.kind() == DeviceKind::cpu) continue;
        if (streams_of(execution) > 1 && policy != "library_heuristic" && policy != "fixed_order") continue;
        Offer offer{{"network", policy, {{"steps", std::to_string(default_train_steps)}}, {}, false, 1.0}, std::nullopt};
        if (execution != Execution::launches) offer.algorithm.options["exec"] = to_text(execution);
        if (policy == "fixed_order") offer.algorithm.claim = claim_by_construction();
        if (!selection) offer.unsupported = selection.error();
        offers.push_back(std::move(offer));
      }
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto p = parse_step_problem(problem);
    if (!p) return tl::unexpected(p.error());
    auto options = parse_train_step_options(algorithm.options, p->types);
    if (!options) return tl::unexpected(options.error());
    auto network = network_of(*p);
    if (!network) return tl::unexpected(network.error());
    auto chosen = select_policy(algorithm.name, source_, *network, p->batch, p->types, *kernels_, device);
    if (!chosen) return tl::unexpected(chosen.error());
    auto program = plan_train_program(*network, p->batch, *chosen, options->spec, *kernels_, device, streams_of(options->execution));
    if (!program) return tl::unexpected(program.error());
    auto step = std::make_unique<TrainStepPlan>(std::move(*program), options->steps, device, options->execution);
    if (auto fits = fits_in_memory(step->memory_bytes(), device); !fits)
      return tl::unexpected(Reason{problem_id(problem) + " " + fits.error().text, fits.error().kind});
    return step;
  }

 private:
  PolicySource source_;
  std::shared_ptr<const Registry> kernels_;
};

class TrainStepOperation final : public Operation {
 public:
  TrainStepOperation(std::string family, const PolicySource& source, const std::shared_ptr<const Registry>& kernels) : op_("train_step_" + family) {
    providers_.push_back(std::make_unique<NetworkProvider>(source, kernels));
  }
  std::string_view op() const override { return op_; }
  Status check(const Problem& problem) const override {
    if (auto p = parse_step_problem(problem); !p) return tl::unexpected(p.error());
    return {};
  }
  /// One step: forward, data gradient and weight gradient are 2 operations per multiply-add each. Bytes: parameters and
  /// velocities read and written, gradients once; activations depend on fusion and are left out.
  Cost cost(const Problem& problem) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return {};
    return {6 * static_cast<double>(network->macs()) * static_cast<double>(p->batch), 20.0 * static_cast<double>(network->trainable_count())};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  bool has_exact_fill() const override { return false; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    return fill_of(*network, input, inputs.seed);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    auto p = parse_step_problem(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return tl::unexpected(network.error());
    const auto fill = [&](const std::string& role) { return fill_of(*network, {role, DataType::f32, {}, {}}, inputs.seed); };
    auto images = filled_values({p->batch, network->image.height, network->image.width, network->image.channels}, fill("images"));
    if (!images) return tl::unexpected(images.error());
    auto labels = filled_labels(p->batch, fill("labels"));
    if (!labels) return tl::unexpected(labels.error());
    StepInputs given{std::move(*images), std::move(*labels), {}};
    for (const auto& q : network->parameters()) {
      auto numbers = filled_values(q.shape, fill(q.name));
      if (!numbers) return tl::unexpected(numbers.error());
      given.parameters.push_back(std::move(*numbers));
    }
    return std::make_unique<TrainStepReference>(std::move(*network), *p, std::move(given));
  }

 private:
  static Result<FillSpec> fill_of(const Network& network, const TensorSpec& input, std::uint64_t seed) {
    if (input.role == "images") return image_fill(network, seed);
    if (input.role == "labels") return FillSpec{FillSpec::Kind::index, seed, "labels", 1.0, network.classes, 1.0};
    for (const auto& parameter : network.parameters())
      if (parameter.name == input.role) return initial_fill(network, parameter, seed);
    return invalid_input("a train step of " + network.name + " has no input '" + input.role + "'");
  }
  const std::string op_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

FillSpec image_fill(const Network& network, std::uint64_t seed) {
  const bool bytes = !network.layers.empty() && network.layers.front().kind == LayerKind::rescaling;
  return {FillSpec::Kind::uniform, seed, "images", bytes ? 128.0 : 1.0, 1, 1.0};
}

std::vector<std::string> policy_names(const PolicySource& source) {
  std::vector<std::string> names;
  // The measured ones stand between the library's own choice and ours in fixed order.
  for (const auto& policy : built_in_policies())
    if (policy.name != "fixed_order") names.push_back(policy.name);
  names.insert(names.end(), source.names.begin(), source.names.end());
  names.push_back("fixed_order");
  return names;
}

Result<Selection> select_policy(const std::string& policy, const PolicySource& source, const Network& network, std::int64_t batch, const std::string& types,
                                const Registry& kernels, Device& device) {
  if (find_built_in_policy(policy) != nullptr) return built_in_selection(policy, network, batch, types, kernels, device);
  if (std::find(source.names.begin(), source.names.end(), policy) == source.names.end() || !source.select) {
    std::string known;
    for (const auto& n : policy_names(source)) known += (known.empty() ? "" : ", ") + n;
    return invalid_input("there is no policy '" + policy.substr(0, 60) + "': " + known + " are");
  }
  return source.select(policy, network, batch, types, device);
}

Result<TrainStepOptions> parse_train_step_options(const Options& options, const std::string& types) {
  TrainStepOptions parsed;
  parsed.spec.types = types;
  for (const auto& [key, value] : options) {
    if (key == "steps") {
      auto steps = number_of<int>(key, value, 1, max_steps);
      if (!steps) return tl::unexpected(steps.error());
      parsed.steps = *steps;
    } else if (key == "exec") {
      const auto execution = parse_execution(value);
      if (!execution) return invalid_input("exec=" + value.substr(0, 60) + " is not possible: launches, streams, graph and streams_graph are");
      parsed.execution = *execution;
    } else if (key == "optimizer") {
      auto optimizer = optimizer_of(value);
      if (!optimizer) return tl::unexpected(optimizer.error());
      parsed.spec.optimizer = *optimizer;
      if (value != "sgd") parsed.spec.learning_rates = {0.001};  // Keras's defaults
    } else if (key == "ls") {
      auto smoothing = number_of<double>(key, value, 0.0, 0.99);
      if (!smoothing) return tl::unexpected(smoothing.error());
      parsed.spec.label_smoothing = *smoothing;
    } else if (key == "regularized") {
      auto on = number_of<int>(key, value, 0, 1);
      if (!on) return tl::unexpected(on.error());
      parsed.spec.regularized = *on == 1;
    } else {
      return invalid_input("a train step has no option '" + key.substr(0, 60) + "'; it has steps, exec, optimizer, ls and regularized");
    }
  }
  return parsed;
}

TrainStepTolerance train_step_tolerance(const std::string& types) {
  if (types == "f32_f32_strict") return {};
  if (types == "f32_f32_tf32" || types.starts_with("f16")) return {1e-2, 0.5, 0.3};
  return {5e-2, 1.0, 0.6};  // bf16: 8 bits of mantissa in every activation
}

std::vector<std::unique_ptr<Operation>> make_train_step_operations(const PolicySource& source, std::shared_ptr<const Registry> kernels) {
  if (!kernels) kernels = make_network_registry();
  std::vector<std::unique_ptr<Operation>> all;
  for (const auto& family : model_families()) all.push_back(std::make_unique<TrainStepOperation>(family, source, kernels));
  return all;
}

}  // namespace detbench
