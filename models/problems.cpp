#include "models/problems.hpp"

#include <algorithm>

#include "kernels/activation/activation.hpp"
#include "kernels/convolution/problem.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/normalization/batch_norm.hpp"
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
  switch (l.kind) {
    case LayerKind::convolution: return convolution_problem(l, batch, op, types, layout);
    case LayerKind::batch_norm: return batch_norm_problem(ends_with(op, "bwd"), l.activation, batch, l.out.channels, l.out.height, l.out.width, layout);
    case LayerKind::add: return vector_problem(op, batch * l.out.height * l.out.width * l.out.channels);
    case LayerKind::global_avg_pool: return global_avg_pool_problem(ends_with(op, "bwd"), batch, l.in.channels, l.in.height, l.in.width, layout);
    case LayerKind::dense:
      return {op, format_shape({{"mb", std::to_string(batch)}, {"ic", std::to_string(l.in.channels)}, {"oc", std::to_string(l.out.channels)}}), types, layout};
    case LayerKind::softmax_cross_entropy: break;
  }
  return softmax_cross_entropy_problem(batch, l.in.channels);
}

std::vector<LayerProblem> convolution_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types,
                                               const std::string& layout) {
  return problems_of(network, batch, op, types, layout, [&](const Layer& l) {
    return l.kind == LayerKind::convolution && !(op == "conv_dgrad" && l.inputs[0] == 0);
  });
}

std::vector<LayerProblem> batch_norm_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& layout) {
  const bool relu6 = op.find("relu6") != std::string::npos;
  return problems_of(network, batch, op, "f32_f32_strict", layout, [&](const Layer& l) { return l.kind == LayerKind::batch_norm && (l.activation == Activation::relu6) == relu6; });
}

std::vector<LayerProblem> dense_problems(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  return problems_of(network, batch, op, types, layout, [&](const Layer& l) { return l.kind == LayerKind::dense; });
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
  for (const char* op : {"batch_norm_fwd", "batch_norm_relu6_fwd", "batch_norm_bwd", "batch_norm_relu6_bwd"}) take(batch_norm_problems(network, batch, op, layout));
  for (const char* op : {"dense_fwd", "dense_dgrad", "dense_wgrad"}) take(dense_problems(network, batch, op, types, "rowmajor"));
  return all;
}

}  // namespace detbench
