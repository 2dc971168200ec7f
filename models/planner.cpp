#include "models/planner.hpp"

#include <optional>

#include "kernels/activation/activation.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "kernels/pooling/pooling.hpp"
#include "models/chooser.hpp"
#include "models/problems.hpp"

namespace detbench {
namespace {

constexpr const char* types = "f32_f32_strict";

/// One tensor of the network in every layout it exists in; the first is the one it was made in.
using Copies = std::vector<int>;

class TrainPlanner {
 public:
  TrainPlanner(const Network& network, std::int64_t batch, const Selection& selection, const SgdRates& rates, const Registry& registry, Device& device)
      : network_(network), batch_(batch), selection_(selection), rates_(rates), device_(device), chooser_(selection, registry, device) {}

  Result<TrainProgram> run() {
    parameters_ = network_.parameters();
    if (auto s = begin(); !s) return tl::unexpected(s.error());
    for (int i = 0; i < static_cast<int>(network_.layers.size()); ++i)
      if (auto s = forward(i); !s) return tl::unexpected(in_layer(s.error(), i));
    for (int i = static_cast<int>(network_.layers.size()) - 1; i >= 0; --i)
      if (auto s = backward(i); !s) return tl::unexpected(in_layer(s.error(), i));
    if (auto s = update(); !s) return tl::unexpected(s.error());
    out_.program.place();
    return std::move(out_);
  }

 private:
  Reason in_layer(const Reason& reason, int layer) const { return {network_.name + " " + network_.layers[layer].name + ": " + reason.text, reason.kind}; }
  Program& program() { return out_.program; }
  static TensorSpec vector_spec(std::string role, std::int64_t n) { return {std::move(role), DataType::f32, {n}, canonical_layout({n})}; }

  /// Externals come first, in the order that TrainProgram states. A kernel's layout is that of the forward's plan, so
  /// forward plans are made here; they are made once (the chooser keeps them).
  Status begin() {
    const Shape images{batch_, network_.image.height, network_.image.width, network_.image.channels};
    out_.images = {"images", DataType::f32, images, canonical_layout(images)};
    out_.labels = {"labels", DataType::i32, {batch_}, canonical_layout({batch_})};
    out_.loss = vector_spec("loss", 1);
    tensors_.resize(network_.layers.size() + 1);
    gradients_.resize(network_.layers.size() + 1);
    tensors_[0] = {program().add_external(out_.images)};
    labels_ = program().add_external(out_.labels);
    loss_ = program().add_external(out_.loss);
    for (const auto& p : parameters_) {
      TensorSpec spec{p.name, DataType::f32, p.shape, canonical_layout(p.shape)};
      if (p.role == "kernel") {
        auto chosen = choose_forward(network_.layers[p.layer]);
        if (!chosen) return tl::unexpected(in_layer(chosen.error(), p.layer));
        spec.layout = chosen->plan->inputs()[1].layout;
      }
      out_.parameters.push_back(spec);
      weights_.push_back({program().add_external(spec)});
    }
    for (auto spec : out_.parameters) {
      spec.role += "/velocity";
      out_.velocities.push_back(spec);
      velocities_.push_back(program().add_external(spec));
    }
    for (const auto& l : network_.layers)
      if (l.kind == LayerKind::batch_norm)
        for (const char* role : {"/moving_mean", "/moving_variance"}) {
          out_.moving.push_back(vector_spec(l.name + role, l.out.channels));
          moving_.push_back(program().add_external(out_.moving.back()));
        }
    parameter_gradients_.resize(parameters_.size());
    statistics_.resize(network_.layers.size());
    return {};
  }

  Result<ChosenPlan> choose_forward(const Layer& l) {
    if (l.kind == LayerKind::dense) return chooser_.choose(layer_problem(l, batch_, "dense_fwd", types, "rowmajor"), "rowmajor");
    return chooser_.choose(layer_problem(l, batch_, "conv_fwd", types, "nhwc"), selection_.activation_layout);
  }
  Result<ChosenPlan> choose_backward(const Layer& l, const std::string& direction) {
    if (l.kind == LayerKind::dense) return chooser_.choose(layer_problem(l, batch_, "dense_" + direction, types, "rowmajor"), "rowmajor");
    return chooser_.choose(layer_problem(l, batch_, "conv_" + direction, types, "nhwc"), selection_.activation_layout);
  }

  /// The first copy of a tensor in the wanted layout; where there is none, a reorder makes one, which later ops reuse.
  Result<int> in_layout(Copies& copies, const TensorSpec& wanted, const char* phase, const std::string& layer) {
    for (int v : copies) {
      const auto& have = program().spec(v);
      // A vector of features is a matrix to one op and a 1x1 image to another; both are plain.
      if (have.layout == wanted.layout || (have.is_canonical() && wanted.is_canonical() && have.bytes() == wanted.bytes())) return v;
    }
    const TensorSpec from = program().spec(copies.front());
    TensorSpec to = from;
    to.layout = wanted.layout;
    auto plan = plan_reorder(from, to, device_);
    if (!plan) return tl::unexpected(plan.error());
    const int value = program().add_value(to);
    const std::string name = "reorder:" + describe_layout(from) + "-" + describe_layout(to);
    if (auto s = program().add_op({phase, layer, "reorder", "", name, false}, std::move(*plan), {copies.front()}, {value}); !s) return tl::unexpected(s.error());
    copies.push_back(value);
    return value;
  }

  std::vector<int> add_outputs(const Plan& plan) {
    std::vector<int> values;
    for (const auto& spec : plan.outputs()) values.push_back(program().add_value(spec));
    return values;
  }
  Status add(const char* phase, const std::string& layer, const ChosenPlan& chosen, std::vector<int> inputs, std::vector<int> outputs) {
    out_.fallbacks += chosen.fallback;
    return program().add_op({phase, layer, chosen.problem.op, problem_id(chosen.problem), algorithm_id(chosen.algorithm), chosen.fallback}, chosen.plan,
                            std::move(inputs), std::move(outputs));
  }

  /// Parameters of a layer, by index: kernel first or gamma first.
  int parameter_of(int layer, const char* role) const {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (parameters_[i].layer == layer && parameters_[i].role == role) return static_cast<int>(i);
    return -1;
  }

  Status forward(int i) {
    const auto& l = network_.layers[i];
    auto& src = tensors_[l.inputs[0]];
    auto& dst = tensors_[i + 1];
    switch (l.kind) {
      case LayerKind::convolution:
      case LayerKind::dense: {
        auto chosen = choose_forward(l);
        if (!chosen) return tl::unexpected(chosen.error());
        auto x = in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
        if (!x) return tl::unexpected(x.error());
        std::vector<int> inputs{*x, weights_[parameter_of(i, "kernel")][0]};
        if (l.kind == LayerKind::dense) inputs.push_back(weights_[parameter_of(i, "bias")][0]);
        dst = add_outputs(*chosen->plan);
        return add("forward", l.name, *chosen, std::move(inputs), dst);
      }
      case LayerKind::batch_norm: {
        auto chosen = chooser_.choose_for_layout(layer_problem(l, batch_, norm_op(l, "fwd"), types, "nhwc"), program().spec(src[0]), 0);
        if (!chosen) return tl::unexpected(chosen.error());
        auto x = in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
        if (!x) return tl::unexpected(x.error());
        const auto outputs = add_outputs(*chosen->plan);
        dst = {outputs[0]};
        statistics_[i] = {outputs[1], outputs[2]};
        const int gamma = parameter_of(i, "gamma");
        if (auto s = add("forward", l.name, *chosen, {*x, weights_[gamma][0], weights_[gamma + 1][0]}, outputs); !s) return s;
        std::shared_ptr<Plan> plan = plan_moving_statistics(l.out.channels, network_.momentum);
        const int at = moving_index_++;
        return program().add_op({"forward", l.name, "moving_statistics", "", "fixed_order:elementwise", false}, plan, statistics_[i],
                                {moving_[2 * at], moving_[2 * at + 1]});
      }
      case LayerKind::add: {
        // In the layout of the branch that was computed last: it is the warmer one.
        const int b = tensors_[l.inputs[1]][0];
        auto a = in_layout(src, program().spec(b), "forward", l.name);
        if (!a) return tl::unexpected(a.error());
        auto sum = add_sum("forward", l.name, *a, b);
        if (!sum) return tl::unexpected(sum.error());
        dst = {*sum};
        return {};
      }
      case LayerKind::global_avg_pool: {
        auto chosen = chooser_.choose_for_layout(layer_problem(l, batch_, "global_avg_pool_fwd", types, "nhwc"), program().spec(src[0]), 0);
        if (!chosen) return tl::unexpected(chosen.error());
        auto x = in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
        if (!x) return tl::unexpected(x.error());
        dst = add_outputs(*chosen->plan);
        return add("forward", l.name, *chosen, {*x}, dst);
      }
      case LayerKind::softmax_cross_entropy: {
        auto chosen = chooser_.choose(layer_problem(l, batch_, "softmax_cross_entropy", types, "plain"), "plain");
        if (!chosen) return tl::unexpected(chosen.error());
        auto logits = in_layout(src, chosen->plan->inputs()[0], "loss", l.name);
        if (!logits) return tl::unexpected(logits.error());
        const int gradient = program().add_value(chosen->plan->outputs()[1]);
        gradients_[l.inputs[0]] = {gradient};
        return add("loss", l.name, *chosen, {*logits, labels_}, {loss_, gradient});
      }
    }
    return failure("a layer of a kind the planner does not know");
  }

  static std::string norm_op(const Layer& l, const char* direction) { return std::string("batch_norm_") + (l.activation == Activation::none ? "" : std::string(to_text(l.activation)) + "_") + direction; }

  /// a + b over memory as it lies; both have the same layout.
  Result<int> add_sum(const char* phase, const std::string& layer, int a, int b) {
    auto chosen = chooser_.choose(vector_problem("add", program().spec(a).layout.elements), "vector");
    if (!chosen) return tl::unexpected(chosen.error());
    TensorSpec spec = program().spec(a);
    spec.role = "dst";
    const int sum = program().add_value(std::move(spec));
    if (auto s = add(phase, layer, *chosen, {a, b}, {sum}); !s) return tl::unexpected(s.error());
    return sum;
  }

  /// Another gradient of a tensor; the second and later ones are added in this order: that of the backward walk.
  Status contribute(int tensor, int value, const std::string& layer) {
    auto& copies = gradients_[tensor];
    if (copies.empty()) {
      copies = {value};
      return {};
    }
    Copies fresh{value};
    auto same = in_layout(fresh, program().spec(copies[0]), "backward", layer);
    if (!same) return tl::unexpected(same.error());
    auto sum = add_sum("backward", layer, copies[0], *same);
    if (!sum) return tl::unexpected(sum.error());
    copies = {*sum};
    return {};
  }

  Status backward(int i) {
    const auto& l = network_.layers[i];
    auto& dy = gradients_[i + 1];
    const int from = l.inputs[0];
    if (l.kind == LayerKind::softmax_cross_entropy) return {};  // the loss gave its gradient in the forward
    switch (l.kind) {
      case LayerKind::convolution:
      case LayerKind::dense: {
        const int kernel = parameter_of(i, "kernel");
        // Weights first: what follows reads the data gradient, which is then still in the cache.
        auto chosen = choose_backward(l, "wgrad");
        if (!chosen) return tl::unexpected(chosen.error());
        auto x = in_layout(tensors_[from], chosen->plan->inputs()[0], "backward", l.name);
        auto d = in_layout(dy, chosen->plan->inputs()[1], "backward", l.name);
        for (const auto* r : {&x, &d})
          if (!*r) return tl::unexpected(r->error());
        const auto outputs = add_outputs(*chosen->plan);
        parameter_gradients_[kernel] = {outputs[0]};
        if (l.kind == LayerKind::dense) parameter_gradients_[kernel + 1] = {outputs[1]};
        if (auto s = add("backward", l.name, *chosen, {*x, *d}, outputs); !s) return s;
        if (from == 0) return {};  // the images need no gradient
        chosen = choose_backward(l, "dgrad");
        if (!chosen) return tl::unexpected(chosen.error());
        d = in_layout(dy, chosen->plan->inputs()[0], "backward", l.name);
        auto w = in_layout(weights_[kernel], chosen->plan->inputs()[1], "backward", l.name);
        for (const auto* r : {&d, &w})
          if (!*r) return tl::unexpected(r->error());
        const auto dx = add_outputs(*chosen->plan);
        if (auto s = add("backward", l.name, *chosen, {*d, *w}, dx); !s) return s;
        return contribute(from, dx[0], l.name);
      }
      case LayerKind::batch_norm: {
        auto chosen = chooser_.choose_for_layout(layer_problem(l, batch_, norm_op(l, "bwd"), types, "nhwc"), program().spec(tensors_[from][0]), 0);
        if (!chosen) return tl::unexpected(chosen.error());
        auto x = in_layout(tensors_[from], chosen->plan->inputs()[0], "backward", l.name);
        auto d = in_layout(dy, chosen->plan->inputs()[1], "backward", l.name);
        for (const auto* r : {&x, &d})
          if (!*r) return tl::unexpected(r->error());
        const int gamma = parameter_of(i, "gamma");
        std::vector<int> inputs{*x, *d, statistics_[i][0], statistics_[i][1], weights_[gamma][0]};
        if (l.activation == Activation::relu6) inputs.push_back(weights_[gamma + 1][0]);
        const auto outputs = add_outputs(*chosen->plan);
        parameter_gradients_[gamma] = {outputs[1]}, parameter_gradients_[gamma + 1] = {outputs[2]};
        if (auto s = add("backward", l.name, *chosen, std::move(inputs), outputs); !s) return s;
        return contribute(from, outputs[0], l.name);
      }
      case LayerKind::add:
        // The sum's gradient is that of both summands. No op ever writes over its input, so they may share it.
        for (int tensor : l.inputs)
          if (auto s = contribute(tensor, dy[0], l.name); !s) return s;
        return {};
      case LayerKind::global_avg_pool: {
        // The gradient lies as the pooled tensor does.
        auto chosen = chooser_.choose_for_layout(layer_problem(l, batch_, "global_avg_pool_bwd", types, "nhwc"), program().spec(tensors_[from][0]), 0);
        if (!chosen) return tl::unexpected(chosen.error());
        auto d = in_layout(dy, chosen->plan->inputs()[0], "backward", l.name);
        if (!d) return tl::unexpected(d.error());
        const auto dx = add_outputs(*chosen->plan);
        if (auto s = add("backward", l.name, *chosen, {*d}, dx); !s) return s;
        return contribute(from, dx[0], l.name);
      }
      default: return failure("a layer of a kind the planner does not know");
    }
  }

  /// One op for all parameters; gradients in the layouts of the weights.
  Status update() {
    std::vector<int> gradients, weights;
    std::vector<std::int64_t> elements;
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const int w = weights_[p][0];
      auto g = in_layout(parameter_gradients_[p], program().spec(w), "optimizer", network_.layers[parameters_[p].layer].name);
      if (!g) return tl::unexpected(in_layer(g.error(), parameters_[p].layer));
      gradients.push_back(*g), weights.push_back(w);
      elements.push_back(program().spec(w).layout.elements);
    }
    std::vector<int> inputs = gradients, outputs = weights;
    inputs.insert(inputs.end(), weights.begin(), weights.end());
    inputs.insert(inputs.end(), velocities_.begin(), velocities_.end());
    outputs.insert(outputs.end(), velocities_.begin(), velocities_.end());
    std::shared_ptr<Plan> plan = plan_sgd_momentum(elements, rates_);
    return program().add_op({"optimizer", "all", "sgd_momentum", "", "fixed_order:elementwise", false}, plan, std::move(inputs), std::move(outputs));
  }

  const Network& network_;
  const std::int64_t batch_;
  const Selection& selection_;
  const SgdRates& rates_;
  Device& device_;
  Chooser chooser_;
  TrainProgram out_;
  std::vector<Parameter> parameters_;
  std::vector<Copies> tensors_, gradients_, weights_, parameter_gradients_;
  std::vector<std::vector<int>> statistics_;  ///< mean and variance, by layer
  std::vector<int> velocities_, moving_;
  int labels_ = -1, loss_ = -1, moving_index_ = 0;
};

}  // namespace

Result<TrainProgram> plan_train_program(const Network& network, std::int64_t batch, const Selection& selection, const SgdRates& rates,
                                        const Registry& registry, Device& device) {
  if (batch < 1) return invalid_input("a batch of " + std::to_string(batch) + " images cannot be trained; 1 or more can");
  return TrainPlanner(network, batch, selection, rates, registry, device).run();
}

Selection library_heuristic_selection() {
  Selection s;
  s.name = "library_heuristic";
  s.demand = "none";
  s.activation_layout = "blocked";
  return s;
}

Selection fixed_order_selection() {
  Selection s;
  s.name = "fixed_order";
  s.demand = "partition";
  s.activation_layout = "nhwc";
  for (const char* op : {"conv_fwd", "conv_dgrad", "conv_wgrad", "batch_norm_fwd", "batch_norm_bwd", "batch_norm_relu6_fwd", "batch_norm_relu6_bwd",
                         "global_avg_pool_fwd", "global_avg_pool_bwd"})
    s.set_default(op, {"nhwc", {"fixed_order", "", {}, {}}});
  for (const char* op : {"dense_fwd", "dense_dgrad", "dense_wgrad"}) s.set_default(op, {"rowmajor", {"fixed_order", "", {}, {}}});
  s.set_default("add", {"vector", {"fixed_order", "", {}, {}}});
  s.set_default("softmax_cross_entropy", {"plain", {"fixed_order", "", {}, {}}});
  return s;
}

}  // namespace detbench
