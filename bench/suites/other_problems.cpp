#include "bench/suites/other_problems.hpp"

#include <algorithm>
#include <iterator>

#include "kernels/activation/activation.hpp"
#include "kernels/dropout/dropout.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/loss/softmax.hpp"
#include "models/matmul_problems.hpp"

namespace detbench {
namespace {

constexpr const char* strict_f32 = "f32_f32_strict";

class Collector {
 public:
  explicit Collector(Breadth breadth) : breadth_(breadth) {}

  /// Problems of one op: all of them, or the one in the middle.
  void take(std::vector<LayerProblem> problems) {
    if (problems.empty()) return;
    if (breadth_ == Breadth::few) problems = {problems[problems.size() / 2]};
    all_.insert(all_.end(), std::make_move_iterator(problems.begin()), std::make_move_iterator(problems.end()));
  }
  void take(Problem problem) { take(std::vector<LayerProblem>{{std::move(problem), {}}}); }
  std::vector<LayerProblem> all() { return std::move(all_); }

 private:
  Breadth breadth_;
  std::vector<LayerProblem> all_;
};

void add(std::vector<LayerProblem>& all, Problem problem, const std::string& layer) {
  const auto same = std::find_if(all.begin(), all.end(), [&](const LayerProblem& p) { return p.problem == problem; });
  if (same != all.end()) same->layers.push_back(layer);
  else all.push_back({std::move(problem), {layer}});
}

std::string whole(std::int64_t value) { return std::to_string(value); }

std::vector<LayerProblem> of_kind(const Network& network, std::int64_t batch, LayerKind kind, const std::string& op, const std::string& layout,
                                  const std::string& types = strict_f32) {
  std::vector<LayerProblem> all;
  for (const auto& layer : network.layers)
    if (layer.kind == kind) add(all, layer_problem(layer, batch, op, types, layout), layer.name);
  return all;
}

/// A bias behind every convolution, or its gradient, by the sizes of its output.
std::vector<LayerProblem> biases(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  return of_kind(network, batch, LayerKind::convolution, op, layout, types);
}

/// The forward convolutions with what inference (bias and ReLU6) or training (statistics) fuses behind them.
std::vector<LayerProblem> fused(const Network& network, std::int64_t batch, const std::string& op, const std::string& types, const std::string& layout) {
  auto problems = convolution_problems(network, batch, "conv_fwd", types, layout);
  for (auto& posed : problems) posed.problem.op = op;
  return problems;
}

/// Every size of activation that one of them sees, fused behind batch norm or alone, as a vector. A network without
/// swish poses it at the sizes of its ReLU6, so that the price of the one against the other can be read.
std::vector<LayerProblem> activations(const Network& network, std::int64_t batch, const std::string& op, const std::string& types) {
  std::vector<LayerProblem> all;
  const auto collect = [&](std::string_view activation) {
    for (const auto& layer : network.layers)
      if (to_text(layer.activation) == activation) {
        auto problem = vector_problem(op, batch * layer.out.height * layer.out.width * layer.out.channels);
        problem.types = types;
        add(all, std::move(problem), layer.name);
      }
  };
  const auto wanted = std::string_view(op).substr(0, op.find('_'));
  collect(wanted);
  if (all.empty() && wanted == "swish") collect("relu6");
  return all;
}

/// What inference does instead of batch norm's forward pass, one op per activation.
std::vector<LayerProblem> inference_norms(const Network& network, std::int64_t batch, const std::string& types, const std::string& layout) {
  std::vector<LayerProblem> all;
  for (const auto& layer : network.layers)
    if (layer.kind == LayerKind::batch_norm) add(all, layer_problem(layer, batch, batch_norm_op(layer.activation, "inference"), types, layout), layer.name);
  return all;
}

/// Batch norm with ReLU behind the stem of ResNet-50: none of the networks here has it.
Problem resnet_stem_norm(std::int64_t batch, std::string_view pass, const std::string& types, const std::string& layout) {
  return {batch_norm_op(Activation::relu, pass), format_shape({{"mb", whole(batch)}, {"c", "64"}, {"h", "112"}, {"w", "112"}}), element_types(types), layout};
}

/// The value that each label keeps in recipes with smoothing is 1 - 0.1 (EfficientNet's).
constexpr double usual_smoothing = 0.1;

struct PoolWindow {
  std::int64_t size, kernel, stride, pad;
};

/// The stem of ResNet-50 (windows of 3 at stride 2 overlap: gradients meet), the same without overlap, and a 3x3 at
/// stride 1, where nine windows meet in every pixel (in the middle, so that short profiles take this one: it is small). Kernels pool 64 channels as the stem does.
std::vector<LayerProblem> windows(const std::string& op, std::int64_t batch, const std::string& layout) {
  std::vector<LayerProblem> all;
  for (const auto& w : {PoolWindow{112, 2, 2, 0}, PoolWindow{28, 3, 1, 1}, PoolWindow{112, 3, 2, 1}}) {
    ShapeFields fields{{"mb", whole(batch)}, {"c", "64"}, {"ih", whole(w.size)}, {"iw", whole(w.size)}, {"kh", whole(w.kernel)}, {"kw", whole(w.kernel)},
                       {"sh", whole(w.stride)}, {"sw", whole(w.stride)}, {"pt", whole(w.pad)}, {"pb", whole(w.pad)}, {"pl", whole(w.pad)}, {"pr", whole(w.pad)}};
    if (op.starts_with("avg")) fields.emplace_back("ip", "0");
    all.push_back({{op, format_shape(fields), strict_f32, layout}, {}});
  }
  return all;
}

}  // namespace

std::vector<LayerProblem> other_problems(const Network& network, std::int64_t batch, const std::vector<std::string>& types,
                                         const std::string& layout, Breadth breadth) {
  Collector collector(breadth);
  if (breadth == Breadth::none || types.empty()) return {};
  for (const auto& type : types) {
    // TF32 is a way to multiply; where nothing is multiplied it is f32 once more.
    const bool sums = type != "f32_f32_tf32";
    if (sums) collector.take(biases(network, batch, "bias_grad", type, layout));
    for (const char* op : {"conv_bias_relu6_fwd", "conv_stats_fwd"}) collector.take(fused(network, batch, op, type, layout));
    collector.take(matmul_problems(network, batch, type));
    collector.take(split_k_problems(type));
    if (!sums) continue;
    for (const char* op : {"scale_channels_fwd", "scale_channels_bwd"}) collector.take(of_kind(network, batch, LayerKind::scale_channels, op, layout, type));
    if (breadth != Breadth::all) continue;
    collector.take(inference_norms(network, batch, type, layout));
    for (const char* pass : {"fwd", "bwd", "inference"}) collector.take(resnet_stem_norm(batch, pass, type, layout));
    collector.take(biases(network, batch, "bias_add", type, layout));
  }
  for (const char* op : {"global_avg_pool_fwd", "global_avg_pool_bwd"}) collector.take(of_kind(network, batch, LayerKind::global_avg_pool, op, layout));
  for (const char* op : {"max_pool_fwd", "max_pool_bwd"}) collector.take(of_kind(network, batch, LayerKind::max_pool, op, layout));
  for (const char* op : {"max_pool_fwd", "max_pool_bwd", "avg_pool_fwd", "avg_pool_bwd"}) collector.take(windows(op, batch, layout));
  for (const char* op : {"softmax_fwd", "softmax_bwd", "log_softmax_fwd", "log_softmax_bwd"}) collector.take(softmax_problem(op, batch, network.classes));
  collector.take(of_kind(network, batch, LayerKind::softmax_cross_entropy, "softmax_cross_entropy", layout));
  if (breadth == Breadth::all) collector.take(softmax_cross_entropy_problem(batch, network.classes, usual_smoothing));
  for (const bool backward : {false, true}) collector.take(dropout_problem(backward, batch * 1280, "0.2", 1));
  // All parameters as one vector, by the rates of the recipes that train such networks.
  const std::string parameters = "n" + whole(network.trainable_count());
  for (const auto& [op, rates] : {std::pair{"sgd_momentum", ""}, {"rmsprop", "_lr0.016_m0.9_eps0.001"}, {"adam", ""}})
    collector.take(Problem{op, parameters + rates, strict_f32, "vector"});
  for (const auto& type : breadth == Breadth::all ? types : std::vector<std::string>{strict_f32}) {
    if (type == "f32_f32_tf32") continue;
    for (const char* op : {"relu6_fwd", "relu6_bwd", "swish_fwd", "swish_bwd", "relu_fwd", "relu_bwd", "sigmoid_fwd", "sigmoid_bwd"})
      collector.take(activations(network, batch, op, type));
    collector.take(of_kind(network, batch, LayerKind::add, "add", layout, type));
  }
  return collector.all();
}

}  // namespace detbench
