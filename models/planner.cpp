#include "models/planner.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/loss/loss.hpp"
#include "kernels/training/loss_scale.hpp"
#include "kernels/training/moving_statistics.hpp"
#include "kernels/training/scale.hpp"
#include "models/backward_planner.hpp"
#include "models/problems.hpp"

namespace detbench {
namespace {

Problem loss_problem(const Layer& layer, std::int64_t batch, double label_smoothing) {
  return softmax_cross_entropy_problem(batch, layer.in.channels, label_smoothing);
}

/// A learning rate per step. Adam's factor goes on changing after the rate has stopped to, until beta^t is too small for an f32
/// to show in 1 - beta^t; and a step past the table takes its last entry.
std::vector<double> rates_until_settled(const TrainingSpec& spec) {
  constexpr double most = 1 << 20;
  auto rates = spec.learning_rates;
  const double beta = std::max(spec.optimizer.beta1, spec.optimizer.beta2);
  if (spec.optimizer.kind != OptimizerSpec::adam || rates.empty() || !(beta > 0 && beta < 1)) return rates;
  const auto settled = static_cast<std::size_t>(std::min(most, std::ceil(std::log(0x1p-25) / std::log(beta))));
  if (rates.size() < settled) rates.resize(settled, rates.back());
  return rates;
}

class TrainPlanner {
 public:
  TrainPlanner(const Network& network, std::int64_t batch, const Selection& selection, const TrainingSpec& spec, const Registry& registry, Device& device, int streams)
      : b_(network, batch, spec.types, selection, registry, device), streams_(streams), forward_(b_, &out_.spec) {
    out_.spec = spec;
    out_.streams = streams;
  }

  Result<TrainProgram> run() {
    if (auto s = plan(); !s) return tl::unexpected(s.error());
    b_.program().place(streams_);
    out_.program = std::move(b_.program());
    out_.fallbacks = b_.fallbacks();
    out_.parameters = forward_.values().parameter_specs;
    out_.moving = forward_.values().moving_specs;
    return std::move(out_);
  }

 private:
  Program& program() { return b_.program(); }

  Status plan() {
    if (auto s = begin(); !s) return s;
    if (auto s = forward_.plan_layers(images_, step_); !s) return s;
    auto gradient = loss();
    if (!gradient) return tl::unexpected(gradient.error());
    BackwardPlanner backward(b_, out_.spec, forward_.values());
    if (auto s = backward.plan_layers(*gradient); !s) return s;
    return update(backward.parameter_gradients());
  }

  /// Externals come first, in the order that TrainProgram states.
  Status begin() {
    const auto scalar = [](const char* role, DataType type) { return GraphBuilder::vector_spec(role, 1, type); };
    out_.rates = rate_table(out_.spec.optimizer, rates_until_settled(out_.spec));
    out_.images = b_.tensor_spec("images", b_.network().image, DataType::f32);
    out_.labels = GraphBuilder::vector_spec("labels", b_.batch(), DataType::i32);
    out_.rates_spec = GraphBuilder::vector_spec("rates", static_cast<std::int64_t>(out_.rates.size()));
    out_.loss = scalar("loss", DataType::f32);
    out_.step = scalar("step", DataType::i32);
    images_ = program().add_external(out_.images);
    labels_ = program().add_external(out_.labels);
    rates_ = program().add_external(out_.rates_spec);
    loss_ = program().add_external(out_.loss);
    step_ = program().add_external(out_.step);
    if (out_.spec.loss_scaled()) {
      out_.scaling = {scalar("loss_scale", DataType::f32), scalar("good_steps", DataType::i32)};
      for (const auto& spec : out_.scaling) scaling_.push_back(program().add_external(spec));
    }
    if (auto s = forward_.add_parameters(); !s) return s;
    for (const auto& name : optimizer_slot_names(out_.spec.optimizer))
      for (auto spec : forward_.values().parameter_specs) {
        spec.role += "/" + name;
        out_.slots.push_back(spec);
        slots_.push_back(program().add_external(spec));
      }
    forward_.add_moving();
    return {};
  }

  /// Logits and loss are f32 whatever the storage; with loss scaling the gradient is scaled where it is narrowed.
  Result<int> loss() {
    const auto& l = b_.network().layers.back();
    if (l.kind != LayerKind::softmax_cross_entropy) return failure(b_.network().name + " does not end in a loss");
    auto chosen = b_.choose_plain(loss_problem(l, b_.batch(), out_.spec.label_smoothing));
    if (!chosen) return tl::unexpected(b_.in_layer(chosen.error(), static_cast<int>(b_.network().layers.size()) - 1));
    auto logits = b_.in_layout(forward_.values().tensors[l.inputs[0]], chosen->plan->inputs()[0], "loss", l.name);
    if (!logits) return logits;
    const int gradient = program().add_value(chosen->plan->outputs()[1]);
    if (auto s = b_.add("loss", l.name, *chosen, {*logits, labels_}, {loss_, gradient}); !s) return tl::unexpected(s.error());
    if (scaling_.empty()) return gradient;
    TensorSpec narrow = program().spec(gradient);
    narrow.type = b_.storage();
    const int scaled = program().add_value(narrow);
    auto plan = plan_cast_scale(narrow.layout.elements, DataType::f32, narrow.type, true, b_.device());
    if (auto s = b_.add_own("loss", l.name, "loss_scaling", std::move(plan), {gradient, scaling_[0]}, {scaled}); !s) return tl::unexpected(s.error());
    return scaled;
  }

  /// Gradients in the layouts of the weights, in f32; then moving statistics, one op for all parameters, the counter.
  Status update(std::vector<Copies>& parameter_gradients) {
    const auto& f = forward_.values();
    std::vector<int> gradients, weights;
    std::vector<std::int64_t> elements;
    std::vector<bool> decayed;
    for (std::size_t p = 0; p < f.parameters.size(); ++p) {
      const int w = f.weights[p][0];
      if (parameter_gradients[p].empty()) return failure(f.parameters[p].name + " gets no gradient");
      auto g = b_.in_layout(parameter_gradients[p], program().spec(w), "optimizer", b_.network().layers[f.parameters[p].layer].name);
      if (!g) return tl::unexpected(b_.in_layer(g.error(), f.parameters[p].layer));
      gradients.push_back(*g), weights.push_back(w);
      elements.push_back(program().spec(w).layout.elements);
      decayed.push_back(!out_.spec.decay_kernels_only || f.parameters[p].role == "kernel");
    }
    if (auto s = update_moving(); !s) return s;
    int finite = -1;
    if (!scaling_.empty()) {
      finite = program().add_value(GraphBuilder::vector_spec("finite", 1, DataType::i32));
      if (auto s = b_.add_own("optimizer", "all", "all_finite", plan_all_finite(elements, b_.device()), gradients, {finite}); !s) return s;
    }
    std::vector<int> inputs = gradients, outputs = weights;
    inputs.insert(inputs.end(), weights.begin(), weights.end());
    inputs.insert(inputs.end(), slots_.begin(), slots_.end());
    inputs.insert(inputs.end(), {rates_, step_});
    if (!scaling_.empty()) inputs.insert(inputs.end(), {scaling_[0], finite});
    outputs.insert(outputs.end(), slots_.begin(), slots_.end());
    auto plan = plan_optimizer(elements, decayed, out_.spec.optimizer, !scaling_.empty(), static_cast<std::int64_t>(out_.rates.size()) / 2, b_.device());
    if (auto s = b_.add_own("optimizer", "all", "optimizer", std::move(plan), std::move(inputs), std::move(outputs)); !s) return s;
    if (!scaling_.empty())
      if (auto s = b_.add_own("optimizer", "all", "loss_scale", plan_update_loss_scale(loss_scale_growth_steps, b_.device()), {finite}, scaling_); !s) return s;
    return b_.add_own("optimizer", "all", "step", plan_advance_step(b_.device(), !scaling_.empty()), scaling_.empty() ? std::vector<int>{} : std::vector<int>{finite}, {step_});
  }

  Status update_moving() {
    const auto& f = forward_.values();
    std::vector<int> statistics;
    std::vector<std::int64_t> channels;
    for (std::size_t i = 0; i < f.statistics.size(); ++i) {
      if (f.statistics[i].empty()) continue;
      statistics.insert(statistics.end(), f.statistics[i].begin(), f.statistics[i].end());
      channels.push_back(b_.network().layers[i].out.channels);
    }
    if (channels.empty()) return {};
    return b_.add_own("forward", "all", "moving_statistics", plan_moving_statistics(channels, b_.network().momentum, b_.device()), statistics, f.moving);
  }

  TrainProgram out_;
  GraphBuilder b_;
  const int streams_;
  ForwardPlanner forward_;
  std::vector<int> slots_, scaling_;
  int images_ = -1, labels_ = -1, rates_ = -1, loss_ = -1, step_ = -1;
};

}  // namespace

Result<TrainProgram> plan_train_program(const Network& network, std::int64_t batch, const Selection& selection, const TrainingSpec& spec,
                                        const Registry& registry, Device& device, int streams) {
  if (batch < 1) return invalid_input("a batch of " + std::to_string(batch) + " images cannot be trained; 1 or more can");
  if (spec.learning_rates.empty()) return invalid_input("training wants a learning rate for at least one step");
  return TrainPlanner(network, batch, selection, spec, registry, device, streams).run();
}

Result<InferenceProgram> plan_inference_program(const Network& network, std::int64_t batch, const Selection& selection, const std::string& types,
                                                const Registry& registry, Device& device) {
  if (batch < 1) return invalid_input("a batch of " + std::to_string(batch) + " images cannot be classified; 1 or more can");
  GraphBuilder b(network, batch, types, selection, registry, device);
  ForwardPlanner forward(b, nullptr);
  InferenceProgram out;
  const auto& last = network.layers.back();
  const Shape shape{batch, last.in.channels};
  out.images = b.tensor_spec("images", network.image, DataType::f32);
  out.logits = {"logits", DataType::f32, shape, canonical_layout(shape)};
  const int images = b.program().add_external(out.images), logits = b.program().add_external(out.logits);
  if (auto s = forward.add_parameters(); !s) return tl::unexpected(s.error());
  forward.add_moving();
  if (auto s = forward.plan_layers(images, -1); !s) return tl::unexpected(s.error());
  auto result = b.canonical(forward.values().tensors[last.inputs[0]], b.program().spec(forward.values().tensors[last.inputs[0]].front()).type, "forward", last.name);
  if (!result) return tl::unexpected(result.error());
  // The caller's tensor is written last, widened where the storage is narrow.
  auto plan = plan_cast_scale(element_count(shape), b.program().spec(*result).type, DataType::f32, false, device);
  if (auto s = b.add_own("forward", last.name, "logits", std::move(plan), {*result}, {logits}); !s) return tl::unexpected(s.error());
  b.program().place();
  out.program = std::move(b.program());
  out.parameters = forward.values().parameter_specs;
  out.moving = forward.values().moving_specs;
  out.fallbacks = b.fallbacks();
  return out;
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
  const auto all = [&](const char* layout, std::initializer_list<const char*> ops) {
    for (const char* op : ops) s.set_default(op, {layout, {"fixed_order", "", {}, {}}});
  };
  all("nhwc", {"conv_fwd", "conv_dgrad", "conv_wgrad", "bias_add", "bias_grad", "scale_channels_fwd", "scale_channels_bwd", "global_avg_pool_fwd",
               "global_avg_pool_bwd", "max_pool_fwd", "max_pool_bwd"});
  for (const char* activation : {"", "relu_", "relu6_", "swish_"})
    for (const char* pass : {"fwd", "bwd", "inference"}) s.set_default(std::string("batch_norm_") + activation + pass, {"nhwc", {"fixed_order", "", {}, {}}});
  all("rowmajor", {"dense_fwd", "dense_dgrad", "dense_wgrad"});
  all("vector", {"add", "relu_fwd", "relu_bwd", "relu6_fwd", "relu6_bwd", "swish_fwd", "swish_bwd", "sigmoid_fwd", "sigmoid_bwd"});
  all("plain", {"softmax_cross_entropy"});
  return s;
}

}  // namespace detbench
