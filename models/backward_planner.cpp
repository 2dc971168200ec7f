#include "models/backward_planner.hpp"

#include "kernels/dropout/step_dropout.hpp"
#include "models/problems.hpp"

namespace detbench {

BackwardPlanner::BackwardPlanner(GraphBuilder& builder, const TrainingSpec& spec, ForwardValues& forward)
    : b_(builder), spec_(spec), forward_(forward), gradients_(forward.tensors.size()), needed_(forward.tensors.size(), false),
      parameter_gradients_(forward.parameters.size()) {
  for (const auto& p : forward.parameters) needed_[p.layer + 1] = true;
  const auto& layers = b_.network().layers;
  for (std::size_t i = 0; i < layers.size(); ++i)
    for (int input : layers[i].inputs)
      if (needed_[input]) needed_[i + 1] = true;
}

Status BackwardPlanner::plan_layers(int gradient) {
  const auto& layers = b_.network().layers;
  if (auto s = contribute(layers.back().inputs[0], gradient, layers.back().name); !s) return s;
  for (int i = static_cast<int>(layers.size()) - 2; i >= 0; --i) {
    if (!needed_[i + 1]) continue;
    if (gradients_[i + 1].empty()) return tl::unexpected(b_.in_layer({"nothing reads this layer's output, so it has no gradient", Reason::Kind::failed}, i));
    if (auto s = plan_layer(i); !s) return tl::unexpected(b_.in_layer(s.error(), i));
  }
  return {};
}

Status BackwardPlanner::contribute(int tensor, int value, const std::string& layer) {
  auto& copies = gradients_[tensor];
  if (copies.empty()) {
    copies = {value};
    return {};
  }
  Copies fresh{value};
  auto same = b_.in_layout(fresh, b_.program().spec(copies[0]), "backward", layer);
  if (!same) return tl::unexpected(same.error());
  auto sum = b_.add_sum("backward", layer, copies[0], *same);
  if (!sum) return tl::unexpected(sum.error());
  copies = {*sum};
  return {};
}

Status BackwardPlanner::plan_layer(int i) {
  const auto& l = b_.network().layers[i];
  auto& dy = gradients_[i + 1];
  const int from = l.inputs[0];
  switch (l.kind) {
    case LayerKind::convolution:
    case LayerKind::dense: return plan_product(i);
    case LayerKind::batch_norm: return plan_batch_norm(i);
    case LayerKind::activation: return plan_activation(i);
    case LayerKind::scale_channels: return plan_scale_channels(i);
    case LayerKind::dropout: return plan_dropout(i);
    case LayerKind::add:
      // The sum's gradient is that of both summands. No op ever writes over its input, so they may share it.
      for (int tensor : l.inputs)
        if (needed_[tensor])
          if (auto s = contribute(tensor, dy[0], l.name); !s) return s;
      return {};
    case LayerKind::global_avg_pool: {
      // The gradient lies as the pooled tensor does.
      auto chosen = b_.choose_like(l, "global_avg_pool_bwd", forward_.tensors[from][0], 0);
      if (!chosen) return tl::unexpected(chosen.error());
      auto d = b_.in_layout(dy, chosen->plan->inputs()[0], "backward", l.name);
      if (!d) return tl::unexpected(d.error());
      const auto dx = b_.add_outputs(*chosen->plan);
      if (auto s = b_.add("backward", l.name, *chosen, {*d}, dx); !s) return s;
      return contribute(from, dx[0], l.name);
    }
    case LayerKind::max_pool: {
      auto chosen = b_.choose_like(l, "max_pool_bwd", forward_.tensors[from][0], 0);
      if (!chosen) return tl::unexpected(chosen.error());
      auto x = b_.in_layout(forward_.tensors[from], chosen->plan->inputs()[0], "backward", l.name);
      auto d = b_.in_layout(dy, chosen->plan->inputs()[1], "backward", l.name);
      for (const auto* r : {&x, &d})
        if (!*r) return tl::unexpected(r->error());
      const auto dx = b_.add_outputs(*chosen->plan);
      if (auto s = b_.add("backward", l.name, *chosen, {*x, *d}, dx); !s) return s;
      return contribute(from, dx[0], l.name);
    }
    case LayerKind::flatten: {
      const auto spec = b_.tensor_spec("diff_src", l.in, b_.program().spec(dy[0]).type);
      auto d = b_.in_layout(dy, spec, "backward", l.name);
      if (!d) return tl::unexpected(d.error());
      return contribute(from, b_.program().add_view(*d, spec), l.name);
    }
    case LayerKind::rescaling:
    case LayerKind::normalization:
    case LayerKind::softmax_cross_entropy: break;
  }
  return failure("has no gradient: it stands between the images and the first parameter, or at the end");
}

Status BackwardPlanner::plan_product(int i) {
  const auto& l = b_.network().layers[i];
  auto& dy = gradients_[i + 1];
  const int from = l.inputs[0];
  const bool dense = l.kind == LayerKind::dense;
  const std::string prefix = dense ? "dense_" : "conv_";
  const int kernel = forward_.parameter_of(i, "kernel"), bias = forward_.parameter_of(i, "bias");
  if (!dense && bias >= 0) {
    auto chosen = b_.choose_like(l, "bias_grad", dy[0], 0);
    if (!chosen) return tl::unexpected(chosen.error());
    auto d = b_.in_layout(dy, chosen->plan->inputs()[0], "backward", l.name);
    if (!d) return tl::unexpected(d.error());
    parameter_gradients_[bias] = b_.add_outputs(*chosen->plan);
    if (auto s = b_.add("backward", l.name, *chosen, {*d}, parameter_gradients_[bias], true); !s) return s;
  }
  auto chosen = b_.choose_product(l, prefix + "wgrad");
  if (!chosen) return tl::unexpected(chosen.error());
  auto x = b_.in_layout(forward_.tensors[from], chosen->plan->inputs()[0], "backward", l.name);
  auto d = b_.in_layout(dy, chosen->plan->inputs()[1], "backward", l.name);
  for (const auto* r : {&x, &d})
    if (!*r) return tl::unexpected(r->error());
  const auto outputs = b_.add_outputs(*chosen->plan);
  parameter_gradients_[kernel] = {outputs[0]};
  if (dense) parameter_gradients_[bias] = {outputs[1]};
  if (auto s = b_.add("backward", l.name, *chosen, {*x, *d}, outputs, true); !s) return s;
  if (!needed_[from]) return {};  // the images need no gradient
  chosen = b_.choose_product(l, prefix + "dgrad");
  if (!chosen) return tl::unexpected(chosen.error());
  d = b_.in_layout(dy, chosen->plan->inputs()[0], "backward", l.name);
  auto w = b_.in_layout(forward_.weights[kernel], chosen->plan->inputs()[1], "backward", l.name);
  for (const auto* r : {&d, &w})
    if (!*r) return tl::unexpected(r->error());
  const auto dx = b_.add_outputs(*chosen->plan);
  if (auto s = b_.add("backward", l.name, *chosen, {*d, *w}, dx); !s) return s;
  return contribute(from, dx[0], l.name);
}

Status BackwardPlanner::plan_batch_norm(int i) {
  const auto& l = b_.network().layers[i];
  const int from = l.inputs[0];
  const bool activated = l.activation != Activation::none;
  const std::string op = "batch_norm_" + (activated ? std::string(to_text(l.activation)) + "_" : "") + "bwd";
  auto chosen = b_.choose_like(l, op, forward_.tensors[from][0], 0);
  if (!chosen) return tl::unexpected(chosen.error());
  auto x = b_.in_layout(forward_.tensors[from], chosen->plan->inputs()[0], "backward", l.name);
  auto d = b_.in_layout(gradients_[i + 1], chosen->plan->inputs()[1], "backward", l.name);
  for (const auto* r : {&x, &d})
    if (!*r) return tl::unexpected(r->error());
  const int gamma = forward_.parameter_of(i, "gamma");
  std::vector<int> inputs{*x, *d, forward_.statistics[i][0], forward_.statistics[i][1], forward_.weights[gamma][0]};
  if (activated) inputs.push_back(forward_.weights[gamma + 1][0]);
  const auto outputs = b_.add_outputs(*chosen->plan);
  parameter_gradients_[gamma] = {outputs[1]}, parameter_gradients_[gamma + 1] = {outputs[2]};
  if (auto s = b_.add("backward", l.name, *chosen, std::move(inputs), outputs); !s) return s;
  if (!needed_[from]) return {};
  return contribute(from, outputs[0], l.name);
}

Status BackwardPlanner::plan_activation(int i) {
  const auto& l = b_.network().layers[i];
  const int from = l.inputs[0];
  auto& source = forward_.tensors[from];
  Result<int> x = source.front();
  if (l.activation == Activation::sigmoid) x = b_.canonical(source, b_.program().spec(source.front()).type, "backward", l.name);
  if (!x) return tl::unexpected(x.error());
  auto d = b_.in_layout(gradients_[i + 1], b_.program().spec(*x), "backward", l.name);
  if (!d) return tl::unexpected(d.error());
  auto chosen = b_.choose_vector(std::string(to_text(l.activation)) + "_bwd", *x);
  if (!chosen) return tl::unexpected(chosen.error());
  const int dx = b_.program().add_value(b_.program().spec(*x));
  if (auto s = b_.add("backward", l.name, *chosen, {*x, *d}, {dx}); !s) return s;
  return contribute(from, dx, l.name);
}

Status BackwardPlanner::plan_scale_channels(int i) {
  const auto& l = b_.network().layers[i];
  auto chosen = b_.choose_like(l, "scale_channels_bwd", forward_.tensors[l.inputs[0]][0], 0);
  if (!chosen) return tl::unexpected(chosen.error());
  auto x = b_.in_layout(forward_.tensors[l.inputs[0]], chosen->plan->inputs()[0], "backward", l.name);
  auto scale = b_.in_layout(forward_.tensors[l.inputs[1]], chosen->plan->inputs()[1], "backward", l.name);
  auto d = b_.in_layout(gradients_[i + 1], chosen->plan->inputs()[2], "backward", l.name);
  for (const auto* r : {&x, &scale, &d})
    if (!*r) return tl::unexpected(r->error());
  const auto outputs = b_.add_outputs(*chosen->plan);
  if (auto s = b_.add("backward", l.name, *chosen, {*x, *scale, *d}, outputs); !s) return s;
  for (int side : {0, 1})
    if (auto s = contribute(l.inputs[side], outputs[side], l.name); !s) return s;
  return {};
}

/// The same mask over the gradient: dropout is its own derivative.
Status BackwardPlanner::plan_dropout(int i) {
  const auto& l = b_.network().layers[i];
  auto& dy = gradients_[i + 1];
  if (!spec_.regularized || l.rate == 0) return contribute(l.inputs[0], dy[0], l.name);
  Result<int> d = dy.front();
  if (!l.whole_samples) d = b_.canonical(dy, b_.program().spec(dy.front()).type, "backward", l.name);
  if (!d) return tl::unexpected(d.error());
  const auto spec = b_.program().spec(*d);
  const auto stream = dropout_stream(l, spec_.seeds);
  const int dx = b_.program().add_value(spec);
  auto plan = plan_step_dropout({b_.batch(), spec.layout.elements / b_.batch(), l.rate, l.whole_samples, stream.seed, stream.name}, spec.type, b_.device());
  if (auto s = b_.add_own("backward", l.name, "dropout", std::move(plan), {*d, forward_.step}, {dx}); !s) return s;
  return contribute(l.inputs[0], dx, l.name);
}

}  // namespace detbench
