#include "models/forward_planner.hpp"

#include "kernels/dropout/step_dropout.hpp"
#include "kernels/training/scale.hpp"

namespace detbench {

int ForwardValues::parameter_of(int layer, std::string_view role) const {
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].layer == layer && parameters[i].role == role) return static_cast<int>(i);
  return -1;
}

DropoutStream dropout_stream(const Layer& layer, const Seeds& seeds) {
  if (layer.whole_samples) return {seeds.drop_connect, "drop_connect/" + layer.name};
  return {seeds.dropout, "dropout/" + layer.name};
}

Status ForwardPlanner::add_parameters() {
  const auto& network = b_.network();
  values_.parameters = network.parameters();
  for (const auto& p : values_.parameters) {
    const auto& layer = network.layers[p.layer];
    TensorSpec spec{p.name, DataType::f32, p.shape, canonical_layout(p.shape)};
    if (p.role == "kernel") {
      // Parameters lie as the forward pass reads them; the plan is made once, the chooser keeps it.
      auto chosen = b_.choose_product(layer, layer.kind == LayerKind::dense ? "dense_fwd" : "conv_fwd");
      if (!chosen) return tl::unexpected(b_.in_layer(chosen.error(), p.layer));
      spec.layout = chosen->plan->inputs()[1].layout;
    }
    values_.parameter_specs.push_back(spec);
    values_.weights.push_back({b_.program().add_external(spec)});
  }
  return {};
}

void ForwardPlanner::add_moving() {
  for (const auto& l : b_.network().layers)
    if (l.kind == LayerKind::batch_norm)
      for (const char* role : {"/moving_mean", "/moving_variance"}) {
        values_.moving_specs.push_back(GraphBuilder::vector_spec(l.name + role, l.out.channels));
        values_.moving.push_back(b_.program().add_external(values_.moving_specs.back()));
      }
}

Status ForwardPlanner::plan_layers(int images, int step) {
  const int layers = static_cast<int>(b_.network().layers.size());
  values_.tensors.resize(static_cast<std::size_t>(layers) + 1);
  values_.statistics.resize(static_cast<std::size_t>(layers));
  values_.tensors[0] = {images};
  values_.step = step;
  for (int i = 0; i < layers; ++i)
    if (auto s = plan_layer(i); !s) return tl::unexpected(b_.in_layer(s.error(), i));
  return {};
}

Status ForwardPlanner::plan_layer(int i) {
  const auto& l = b_.network().layers[i];
  auto& src = values_.tensors[l.inputs[0]];
  auto& dst = values_.tensors[i + 1];
  switch (l.kind) {
    case LayerKind::rescaling: {
      const int x = src.front();
      const auto spec = b_.program().spec(x);
      dst = {b_.program().add_value(spec)};
      return b_.add_own("forward", l.name, "rescaling", plan_rescale(spec.layout.elements, l.scale, l.offset, spec.type, b_.device()), {x}, dst);
    }
    case LayerKind::normalization: dst = src; return {};  // (x - 0) / 1 changes no bit
    case LayerKind::convolution:
    case LayerKind::dense: return plan_product(i);
    case LayerKind::batch_norm: return plan_batch_norm(i);
    case LayerKind::activation: {
      Result<int> x = src.front();
      // sigmoid(0) is not 0, so it must not see the padding of a blocked layout.
      if (l.activation == Activation::sigmoid) x = b_.canonical(src, b_.program().spec(src.front()).type, "forward", l.name);
      if (!x) return tl::unexpected(x.error());
      auto chosen = b_.choose_vector(std::string(to_text(l.activation)) + "_fwd", *x);
      if (!chosen) return tl::unexpected(chosen.error());
      dst = {b_.program().add_value(b_.program().spec(*x))};
      return b_.add("forward", l.name, *chosen, {*x}, dst);
    }
    case LayerKind::add: {
      // In the layout of the branch that was computed last: it is the warmer one.
      const int b = values_.tensors[l.inputs[1]][0];
      auto a = b_.in_layout(src, b_.program().spec(b), "forward", l.name);
      if (!a) return tl::unexpected(a.error());
      auto sum = b_.add_sum("forward", l.name, *a, b);
      if (!sum) return tl::unexpected(sum.error());
      dst = {*sum};
      return {};
    }
    case LayerKind::scale_channels: {
      auto chosen = b_.choose_like(l, "scale_channels_fwd", src.front(), 0);
      if (!chosen) return tl::unexpected(chosen.error());
      auto x = b_.in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
      auto scale = b_.in_layout(values_.tensors[l.inputs[1]], chosen->plan->inputs()[1], "forward", l.name);
      for (const auto* r : {&x, &scale})
        if (!*r) return tl::unexpected(r->error());
      dst = b_.add_outputs(*chosen->plan);
      return b_.add("forward", l.name, *chosen, {*x, *scale}, dst);
    }
    case LayerKind::global_avg_pool: return plan_following(i, "global_avg_pool_fwd");
    case LayerKind::max_pool: return plan_following(i, "max_pool_fwd");
    case LayerKind::flatten: {
      const Shape shape{b_.batch(), l.out.channels};
      auto x = b_.in_layout(src, {"flat", b_.program().spec(src.front()).type, shape, canonical_layout(shape)}, "forward", l.name);
      if (!x) return tl::unexpected(x.error());
      dst = {*x};
      return {};
    }
    case LayerKind::dropout: return plan_dropout(i);
    case LayerKind::softmax_cross_entropy: return {};  // what it adds to the logits is the caller's affair
  }
  return failure("a layer of a kind the planner does not know");
}

Status ForwardPlanner::plan_following(int i, const std::string& op) {
  const auto& l = b_.network().layers[i];
  auto& src = values_.tensors[l.inputs[0]];
  auto chosen = b_.choose_like(l, op, src.front(), 0);
  if (!chosen) return tl::unexpected(chosen.error());
  auto x = b_.in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
  if (!x) return tl::unexpected(x.error());
  values_.tensors[i + 1] = b_.add_outputs(*chosen->plan);
  return b_.add("forward", l.name, *chosen, {*x}, values_.tensors[i + 1]);
}

Status ForwardPlanner::plan_product(int i) {
  const auto& l = b_.network().layers[i];
  const bool dense = l.kind == LayerKind::dense;
  auto& dst = values_.tensors[i + 1];
  auto chosen = b_.choose_product(l, dense ? "dense_fwd" : "conv_fwd");
  if (!chosen) return tl::unexpected(chosen.error());
  const auto& wanted = chosen->plan->inputs();
  auto x = b_.in_layout(values_.tensors[l.inputs[0]], wanted[0], "forward", l.name);
  auto w = b_.in_layout(values_.weights[values_.parameter_of(i, "kernel")], wanted[1], "forward", l.name);
  for (const auto* r : {&x, &w})
    if (!*r) return tl::unexpected(r->error());
  std::vector<int> inputs{*x, *w};
  const int bias = values_.parameter_of(i, "bias");
  if (dense) {
    auto b = b_.in_layout(values_.weights[bias], wanted[2], "forward", l.name);
    if (!b) return tl::unexpected(b.error());
    inputs.push_back(*b);
  }
  dst = b_.add_outputs(*chosen->plan);
  if (auto s = b_.add("forward", l.name, *chosen, std::move(inputs), dst); !s) return s;
  if (dense || bias < 0) return {};
  auto biased = b_.choose_like(l, "bias_add", dst.front(), 0);
  if (!biased) return tl::unexpected(biased.error());
  auto y = b_.in_layout(dst, biased->plan->inputs()[0], "forward", l.name);
  if (!y) return tl::unexpected(y.error());
  dst = b_.add_outputs(*biased->plan);
  return b_.add("forward", l.name, *biased, {*y, values_.weights[bias][0]}, dst);
}

Status ForwardPlanner::plan_batch_norm(int i) {
  const auto& l = b_.network().layers[i];
  auto& src = values_.tensors[l.inputs[0]];
  const std::string op = "batch_norm_" + (l.activation == Activation::none ? "" : std::string(to_text(l.activation)) + "_") + (spec_ ? "fwd" : "inference");
  auto chosen = b_.choose_like(l, op, src.front(), 0);
  if (!chosen) return tl::unexpected(chosen.error());
  auto x = b_.in_layout(src, chosen->plan->inputs()[0], "forward", l.name);
  if (!x) return tl::unexpected(x.error());
  const auto outputs = b_.add_outputs(*chosen->plan);
  values_.tensors[i + 1] = {outputs[0]};
  const int gamma = values_.parameter_of(i, "gamma");
  std::vector<int> inputs{*x, values_.weights[gamma][0], values_.weights[gamma + 1][0]};
  if (spec_) values_.statistics[i] = {outputs[1], outputs[2]};
  else inputs.insert(inputs.end(), {values_.moving[2 * norm_], values_.moving[2 * norm_ + 1]});
  ++norm_;
  return b_.add("forward", l.name, *chosen, std::move(inputs), outputs);
}

Status ForwardPlanner::plan_dropout(int i) {
  const auto& l = b_.network().layers[i];
  auto& src = values_.tensors[l.inputs[0]];
  auto& dst = values_.tensors[i + 1];
  if (!spec_ || !spec_->regularized || l.rate == 0) {
    dst = src;
    return {};
  }
  // A mask per element counts elements in canonical order; one per sample only needs samples one behind the other.
  Result<int> x = src.front();
  if (!l.whole_samples) x = b_.canonical(src, b_.program().spec(src.front()).type, "forward", l.name);
  if (!x) return tl::unexpected(x.error());
  const auto spec = b_.program().spec(*x);
  const auto stream = dropout_stream(l, spec_->seeds);
  dst = {b_.program().add_value(spec)};
  return b_.add_own("forward", l.name, "dropout", plan_step_dropout({b_.batch(), spec.layout.elements / b_.batch(), l.rate, l.whole_samples, stream.seed, stream.name}, spec.type, b_.device()),
                    {*x, values_.step}, dst);
}

}  // namespace detbench
