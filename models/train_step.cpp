#include "models/train_step.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/simple_operation.hpp"
#include "models/initializers.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/reference_network.hpp"
#include "models/training.hpp"

namespace detbench {
namespace {

constexpr const char* op_text = "train_step_mobilenet_v2";
constexpr int max_steps = 1000;

Result<Network> network_of(const TrainStepProblem& p) { return make_mobilenet_v2(p.alpha, p.pixels, p.classes); }

/// The option "steps"; nothing else can be given.
Result<int> steps_of(const Algorithm& algorithm) {
  int steps = default_train_steps;
  for (const auto& [key, value] : algorithm.options) {
    if (key != "steps") return invalid_input("a train step has no option '" + key.substr(0, 60) + "'; it has steps");
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), steps);
    if (error != std::errc{} || end != value.data() + value.size() || steps < 1 || steps > max_steps)
      return invalid_input("steps=" + value.substr(0, 60) + " is not possible: steps is a whole number from 1 to " + std::to_string(max_steps));
  }
  return steps;
}

class NetworkProvider final : public Provider {
 public:
  NetworkProvider(PolicySource source, std::shared_ptr<const Registry> kernels) : source_(std::move(source)), kernels_(std::move(kernels)) {}
  std::string_view name() const override { return "network"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (auto p = parse_train_step(problem); !p) return tl::unexpected(p.error());
    const auto runs_here = supported(device);
    std::vector<Offer> offers;
    for (const auto& policy : names()) {
      Offer offer{{"network", policy, {{"steps", std::to_string(default_train_steps)}}, {}, false, 1.0}, std::nullopt};
      if (policy == "fixed_order") offer.algorithm.claim = claim_by_construction();
      if (!runs_here) offer.unsupported = runs_here.error();
      else if (auto s = selection(policy); !s) offer.unsupported = s.error();
      offers.push_back(std::move(offer));
    }
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto p = parse_train_step(problem);
    if (!p) return tl::unexpected(p.error());
    auto steps = steps_of(algorithm);
    if (!steps) return tl::unexpected(steps.error());
    if (auto runs_here = supported(device); !runs_here) return tl::unexpected(runs_here.error());
    auto chosen = selection(algorithm.name);
    if (!chosen) return tl::unexpected(chosen.error());
    auto network = network_of(*p);
    if (!network) return tl::unexpected(network.error());
    auto program = plan_train_program(*network, p->batch, *chosen, SgdRates{}, *kernels_, device);
    if (!program) return tl::unexpected(program.error());
    return std::make_unique<TrainStepPlan>(std::move(*program), *steps, device);
  }

 private:
  /// The small ops of the step and its arena are host code.
  static Status supported(Device& device) {
    if (device.kind() == DeviceKind::cpu) return {};
    return unsupported("train steps run on the CPU in this version");
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all{"library_heuristic"};
    all.insert(all.end(), source_.names.begin(), source_.names.end());
    all.push_back("fixed_order");
    return all;
  }
  Result<Selection> selection(const std::string& policy) const {
    if (policy == "library_heuristic") return library_heuristic_selection();
    if (policy == "fixed_order") return fixed_order_selection();
    std::string known;
    for (const auto& n : names()) known += (known.empty() ? "" : ", ") + n;
    if (std::find(source_.names.begin(), source_.names.end(), policy) == source_.names.end() || !source_.select)
      return invalid_input("there is no policy '" + policy.substr(0, 60) + "': " + known + " are");
    return source_.select(policy);
  }
  PolicySource source_;
  std::shared_ptr<const Registry> kernels_;
};

/// One fp64 step and the loss after it.
class TrainStepReference final : public Reference {
 public:
  TrainStepReference(const Network& network, std::int64_t batch, std::vector<double> images, std::vector<std::int32_t> labels,
                     std::vector<std::vector<double>> parameters) {
    ReferenceNetwork reference(network, batch, std::move(images), std::move(labels));
    after_ = reference.initial_state(std::move(parameters));
    const auto before = after_.parameters;
    reference.step(after_, SgdRates{});
    first_loss_ = after_.loss;
    second_loss_ = reference.loss(after_.parameters);
    for (std::size_t p = 0; p < before.size(); ++p)
      for (std::size_t i = 0; i < before[p].size(); ++i) update_ += std::pow(after_.parameters[p][i] - before[p][i], 2);
  }

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    auto steps = steps_of(algorithm);
    if (!steps) return tl::unexpected(steps.error());
    if (outputs.size() <= after_.parameters.size() || element_count(outputs[0].spec.shape) != *steps)
      return invalid_input("a train step's outputs are one loss per step, parameters, velocities and moving statistics");
    Verification found;
    double squared = 0, norm = 0;
    const auto hold = [&](double actual, double want) {
      const auto rounded = static_cast<float>(want), value = static_cast<float>(actual);
      found.max_ulp = std::max(found.max_ulp, ulp_distance(DataType::f32, std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(rounded)));
      squared += (actual - want) * (actual - want), norm += want * want;
      ++found.checked;
      return std::abs(actual - want);
    };
    const auto demand = [&](const std::string& what, double error, double tolerance) {
      found.bound_ratio = std::max(found.bound_ratio, error / tolerance);
      if (!(error <= tolerance) && found.reason.empty()) found.reason = what + " is off by " + std::to_string(error) + ", allowed are " + std::to_string(tolerance);
    };
    const auto& t = train_step_tolerance;
    demand("the first loss, relative,", hold(element_as_double(outputs[0], 0), first_loss_) / first_loss_, t.first_loss);
    if (*steps > 1)
      demand("the second loss, relative to its fall,", hold(element_as_double(outputs[0], 1), second_loss_) / std::abs(first_loss_ - second_loss_), t.second_loss);
    std::vector<std::byte> bytes;
    double distance = 0;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      gather_canonical(outputs[o], bytes);
      const auto* values = reinterpret_cast<const float*>(bytes.data());
      const std::size_t count = element_count(outputs[o].spec.shape);
      found.outputs += count;
      const bool compared = *steps == 1 && o >= 1 && o <= after_.parameters.size();
      for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i]) && found.reason.empty()) found.reason = outputs[o].spec.role + "[" + std::to_string(i) + "] is not finite";
        if (compared) distance += std::pow(hold(static_cast<double>(values[i]), after_.parameters[o - 1][i]), 2);
      }
    }
    if (*steps == 1) demand("the first update, relative to its norm,", std::sqrt(distance / update_), t.update);
    found.relative_l2 = std::sqrt(squared / norm);
    found.passed = found.reason.empty();
    return found;
  }

 private:
  ReferenceState after_;
  double first_loss_ = 0, second_loss_ = 0, update_ = 0;
};

class TrainStepOperation final : public Operation {
 public:
  TrainStepOperation(PolicySource source, std::shared_ptr<const Registry> kernels) {
    providers_.push_back(std::make_unique<NetworkProvider>(std::move(source), kernels ? std::move(kernels) : make_network_registry()));
  }
  std::string_view op() const override { return op_text; }
  Status check(const Problem& problem) const override {
    if (auto p = parse_train_step(problem); !p) return tl::unexpected(p.error());
    return {};
  }
  /// One step: forward, data gradient and weight gradient are 2 operations per multiply-add each. Bytes: parameters and
  /// velocities read and written, gradients once; activations depend on fusion and are left out.
  Cost cost(const Problem& problem) const override {
    auto p = parse_train_step(problem);
    auto network = p ? network_of(*p) : Result<Network>(tl::unexpected(p.error()));
    if (!network) return {};
    double macs = 0;
    for (const auto& q : network->parameters()) {
      const auto& out = network->layers[q.layer].out;
      if (q.role == "kernel") macs += static_cast<double>(element_count(q.shape)) * static_cast<double>(out.height * out.width);
    }
    return {6 * macs * static_cast<double>(p->batch), 20.0 * static_cast<double>(network->trainable_count())};
  }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  bool has_exact_fill() const override { return false; }

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    auto p = parse_train_step(problem);
    if (!p) return tl::unexpected(p.error());
    // Images as Keras's preprocess_input makes them, in [-1, 1).
    if (input.role == "images") return FillSpec{FillSpec::Kind::uniform, inputs.seed, "images", 1.0, 1, 1.0};
    if (input.role == "labels") return FillSpec{FillSpec::Kind::index, inputs.seed, "labels", 1.0, p->classes, 1.0};
    const auto slash = input.role.rfind('/');
    if (slash == std::string::npos) return invalid_input("a train step has no input '" + input.role + "'");
    return initial_fill({input.role, 0, input.role.substr(slash + 1), input.shape}, inputs.seed);
  }

  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    auto p = parse_train_step(problem);
    if (!p) return tl::unexpected(p.error());
    auto network = network_of(*p);
    if (!network) return tl::unexpected(network.error());
    const auto values = [&]<class T>(TensorSpec spec, std::vector<T>& out) -> Status {
      auto filling = fill(problem, spec, inputs);
      if (!filling) return tl::unexpected(filling.error());
      spec.layout = canonical_layout(spec.shape);
      out.resize(element_count(spec.shape));
      return fill_on_host({spec, {out.data(), out.size() * sizeof(T)}}, *filling);
    };
    std::vector<float> numbers;
    std::vector<std::int32_t> labels;
    if (auto s = values({"images", DataType::f32, {p->batch, p->pixels, p->pixels, 3}, {}}, numbers); !s) return tl::unexpected(s.error());
    std::vector<double> images(numbers.begin(), numbers.end());
    if (auto s = values({"labels", DataType::i32, {p->batch}, {}}, labels); !s) return tl::unexpected(s.error());
    std::vector<std::vector<double>> parameters;
    for (const auto& q : network->parameters()) {
      if (auto s = values({q.name, DataType::f32, q.shape, {}}, numbers); !s) return tl::unexpected(s.error());
      parameters.emplace_back(numbers.begin(), numbers.end());
    }
    return std::make_unique<TrainStepReference>(*network, p->batch, std::move(images), std::move(labels), std::move(parameters));
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

Problem to_problem(const TrainStepProblem& p) {
  return {op_text,
          format_shape({{"alpha", alpha_text(p.alpha)}, {"px", std::to_string(p.pixels)}, {"mb", std::to_string(p.batch)}, {"classes", std::to_string(p.classes)}}),
          "f32_f32_strict", "nhwc"};
}

Result<TrainStepProblem> parse_train_step(const Problem& problem) {
  if (problem.op != op_text) return invalid_input("'" + problem.op.substr(0, 60) + "' is no train step; " + op_text + " is");
  if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
  if (problem.layout != "nhwc") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for a train step; nhwc, that of the images, does");
  auto fields = parse_shape(problem.shape);
  if (!fields) return tl::unexpected(fields.error());
  const std::string form = "; it should read alpha0.35_px96_mb8_classes1000";
  if (fields->size() != 4 || (*fields)[0].first != "alpha") return invalid_input("shape '" + problem.shape.substr(0, 200) + "' is no train step's" + form);
  const std::string& text = (*fields)[0].second;
  TrainStepProblem p;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), p.alpha);
  // One case has one name, so an alpha has one spelling.
  if (error != std::errc{} || end != text.data() + text.size() || alpha_text(p.alpha) != text)
    return invalid_input("alpha" + text.substr(0, 60) + " is no alpha, or not its shortest spelling with a point" + form);
  auto rest = read_shape(format_shape({(*fields)[1], (*fields)[2], (*fields)[3]}), {{"px", 32, 4096}, {"mb", 1, 4096}, {"classes", 1, 1 << 20}});
  if (!rest) return tl::unexpected(rest.error());
  p.pixels = (*rest)[0], p.batch = (*rest)[1], p.classes = (*rest)[2];
  if (auto network = network_of(p); !network) return tl::unexpected(network.error());
  return p;
}

std::unique_ptr<Operation> make_train_step_operation(PolicySource source, std::shared_ptr<const Registry> kernels) {
  return std::make_unique<TrainStepOperation>(std::move(source), std::move(kernels));
}

}  // namespace detbench
