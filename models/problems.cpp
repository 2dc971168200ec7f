#include "models/problems.hpp"

#include <algorithm>
#include <charconv>

#include "kernels/activation/activation.hpp"
#include "kernels/convolution/problem.hpp"
#include "kernels/dropout/dropout.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/pooling/pooling.hpp"

namespace detbench {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Problem convolution_problem(const Layer& l, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  ConvolutionProblem c;
  const auto& w = l.window;
  c.mb = batch, c.g = w.groups, c.ic = l.in.channels, c.ih = l.in.height, c.iw = l.in.width, c.oc = l.out.channels;
  c.kh = c.kw = w.kernel, c.sh = c.sw = w.stride;
  c.pt = w.top, c.pb = w.bottom, c.pl = w.left, c.pr = w.right;
  auto problem = to_problem(c);
  problem.op = op, problem.types = types, problem.layout = layout;
  return problem;
}

std::string whole(std::int64_t value) { return std::to_string(value); }

/// The rate as short as it reads back.
std::string rate_text(double rate) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, rate).ptr};
}

/// "mb8_c96_h48_w48" of what the layer makes.
std::string plane_shape(const Layer& l, std::int64_t batch) {
  return format_shape({{"mb", whole(batch)}, {"c", whole(l.out.channels)}, {"h", whole(l.out.height)}, {"w", whole(l.out.width)}});
}

std::string pool_shape(const Layer& l, std::int64_t batch) {
  const auto& w = l.window;
  return format_shape({{"mb", whole(batch)}, {"c", whole(l.in.channels)}, {"ih", whole(l.in.height)}, {"iw", whole(l.in.width)},
                       {"kh", whole(w.kernel)}, {"kw", whole(w.kernel)}, {"sh", whole(w.stride)}, {"sw", whole(w.stride)},
                       {"pt", whole(w.top)}, {"pb", whole(w.bottom)}, {"pl", whole(w.left)}, {"pr", whole(w.right)}});
}

/// Keeps the first mention of a problem and joins the layers of later ones.
void collect(std::vector<LayerProblem>& all, Problem problem, const std::string& layer) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.problem == problem; });
  if (at != all.end()) at->layers.push_back(layer);
  else all.push_back({std::move(problem), {layer}});
}

template <class Accept>
std::vector<LayerProblem> problems_of(const Network& network, std::int64_t batch, const std::string& op, const std::string& types,
                                      const std::string& layout, Accept accept) {
  std::vector<LayerProblem> all;
  for (const auto& l : network.layers)
    if (accept(l)) collect(all, layer_problem(l, batch, op, types, layout), l.name);
  return all;
}

}  // namespace

Problem layer_problem(const Layer& l, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  const auto multiplied = [&](Problem problem) { return problem.types = types, problem; };
  const auto with_types = [&](Problem problem) { return problem.types = element_types(types), problem; };
  const bool backward = ends_with(op, "bwd");
  if (op.starts_with("bias_")) return with_types({op, plane_shape(l, batch), types, layout});
  switch (l.kind) {
    case LayerKind::convolution: return convolution_problem(l, batch, op, types, layout);
    case LayerKind::dense:
      return multiplied({op, format_shape({{"mb", whole(batch)}, {"ic", whole(l.in.channels)}, {"oc", whole(l.out.channels)}}), types, layout});
    case LayerKind::batch_norm:
      if (op.starts_with("batch_norm")) return with_types({op, plane_shape(l, batch), types, layout});
      break;
    case LayerKind::scale_channels: return with_types({op, plane_shape(l, batch), types, layout});
    case LayerKind::max_pool: return with_types({op, pool_shape(l, batch), types, layout});
    case LayerKind::global_avg_pool: return with_types(global_avg_pool_problem(backward, batch, l.in.channels, l.in.height, l.in.width, layout));
    case LayerKind::dropout:
      if (op.starts_with("dropout")) return dropout_problem(backward, batch * l.out.height * l.out.width * l.out.channels, rate_text(l.rate), 1);
      break;
    case LayerKind::softmax_cross_entropy: return softmax_cross_entropy_problem(batch, l.in.channels);
    default: break;
  }
  return with_types(vector_problem(op, batch * l.out.height * l.out.width * l.out.channels));
}

std::string batch_norm_op(Activation activation, std::string_view pass) {
  return "batch_norm_" + (activation == Activation::none ? "" : std::string(to_text(activation)) + "_") + std::string(pass);
}

std::string element_types(const std::string& types) {
  if (types == "f32_f32_tf32") return "f32_f32_strict";
  const auto stored_apart = types.find("_dw");
  return types.substr(0, stored_apart);
}

std::vector<LayerProblem> convolution_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types,
                                               const std::string& layout) {
  return problems_of(network, batch, op, types, layout, [&](const Layer& l) {
    return l.kind == LayerKind::convolution && !(op == "conv_dgrad" && !network.needs_gradient(l.inputs[0]));
  });
}

std::vector<LayerProblem> batch_norm_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& layout,
                                              const std::string& types) {
  const std::string_view pass = std::string_view(op).substr(op.rfind('_') + 1);
  return problems_of(network, batch, op, types, layout,
                     [&](const Layer& l) { return l.kind == LayerKind::batch_norm && op == batch_norm_op(l.activation, pass); });
}

std::vector<LayerProblem> dense_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  return problems_of(network, batch, op, types, layout, [&](const Layer& l) {
    return l.kind == LayerKind::dense && !(op == "dense_dgrad" && !network.needs_gradient(l.inputs[0]));
  });
}

std::string weight_gradient_types(const std::string& types, WeightGradients stored) {
  auto parsed = parse_product_types(types, true);
  if (!parsed || stored == WeightGradients::f32 || parsed->storage == DataType::f32) return types;
  parsed->weight_gradient = parsed->storage;
  return to_text(*parsed);
}

std::vector<LayerProblem> network_problems(const Network& network, std::int64_t batch, const std::string& types, const std::string& layout,
                                           WeightGradients stored) {
  std::vector<LayerProblem> all;
  const auto take = [&](std::vector<LayerProblem> more) { all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end())); };
  for (const char* op : {"conv_fwd", "conv_dgrad"}) take(convolution_problems(network, batch, op, types, layout));
  take(convolution_problems(network, batch, "conv_wgrad", weight_gradient_types(types, stored), layout));
  for (const char* pass : {"fwd", "bwd"})
    for (const auto activation : {Activation::none, Activation::relu, Activation::relu6, Activation::swish})
      take(batch_norm_problems(network, batch, batch_norm_op(activation, pass), layout, types));
  for (const char* op : {"dense_fwd", "dense_dgrad", "dense_wgrad"}) take(dense_problems(network, batch, op, types, "rowmajor"));
  return all;
}

}  // namespace detbench
