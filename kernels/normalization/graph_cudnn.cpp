// cuDNN's graph batch norm, every configuration that a search finds. Kernels of ours stand beside the library's in one op,
// and its time contains them: the inverse deviation of the graph against the variance of this operation, and the activation:
// forward it is in the graph ("eng0[...]") or in place behind it ("eng0[...]+clip", "+relu", "+swish"), backward a mask or
// slope before it ("relu6_mask+eng0[...]", "swish_slope+eng0[...]").
#include "kernels/normalization/graph_cudnn.hpp"

#include "kernels/cudnn/graph_provider.hpp"
#include "kernels/normalization/cuda_support.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::normalization {

Result<cudnn::GraphProblem> norm_graph(const BatchNormProblem& p, bool fuse_activation, std::int64_t alignment_bytes) {
  if (p.layout != "nhwc" && p.layout != "nchw") return unsupported("cuDNN's batch norm takes nhwc and nchw; " + p.layout + " is a CPU's layout");
  const auto specs = batch_norm_specs(p, p.layout);
  if (!specs) return tl::unexpected(specs.error());
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const auto activation = [&](std::int64_t uid, const TensorSpec& spec) { return builder->tensor(cudnn::activation_tensor(uid, spec, alignment_bytes)); };
  const auto channel = [&](std::int64_t uid) { return builder->tensor(cudnn::channel_tensor(uid, CUDNN_DATA_FLOAT, p.channels, alignment_bytes)); };
  TensorSpec inverse = specs->inputs[p.backward ? 3 : p.inference ? 4 : 1];
  inverse.role = "inverse_deviation";
  const auto &in = specs->inputs, &out = specs->outputs;
  if (p.backward) {
    cudnn::NormBackward norm;
    norm.x = activation(1, in[0]);
    norm.dy = activation(2, in[1]);
    norm.mean = channel(3);
    norm.inv_variance = channel(4);
    norm.scale = channel(5);
    norm.dx = activation(6, out[0]);
    norm.dscale = channel(7);
    norm.dbias = channel(8);
    builder->norm_backward(norm);
    auto graph = builder->build();
    if (!graph) return tl::unexpected(graph.error());
    return cudnn::graph_problem(std::move(*graph), {{in[0], 1}, {in[1], 2}, {in[2], 3}, {inverse, 4}, {in[4], 5}}, {{out[0], 6}, {out[1], 7}, {out[2], 8}},
                                alignment_bytes);
  }
  cudnn::NormForward norm;
  norm.x = activation(1, in[0]);
  norm.scale = channel(2);
  norm.bias = channel(3);
  const auto y = activation(4, out[0]);
  norm.y = y;
  if (fuse_activation) {
    auto inside = cudnn::activation_tensor(8, out[0], alignment_bytes);
    inside.is_virtual = true;
    inside.type = CUDNN_DATA_FLOAT;
    norm.y = builder->tensor(inside);
  }
  norm.mean = channel(5);
  norm.inv_variance = channel(6);
  if (p.inference) norm.phase = CUDNN_NORM_FWD_INFERENCE;  // the inverse deviation holds epsilon already
  else norm.epsilon = builder->tensor(cudnn::scalar_tensor(7, CUDNN_DATA_FLOAT));
  builder->norm_forward(norm);
  if (fuse_activation) {
    cudnn::Pointwise activate;
    activate.mode = p.activation == Activation::swish ? CUDNN_POINTWISE_SWISH_FWD : CUDNN_POINTWISE_RELU_FWD;
    if (p.activation == Activation::swish) activate.swish_beta = 1.0;
    else activate.relu_lower_clip = 0.0;
    if (p.activation == Activation::relu6) activate.relu_upper_clip = 6.0;
    builder->pointwise(activate, norm.y, {}, y);
  }
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  if (p.inference)
    return cudnn::graph_problem(std::move(*graph), {{in[0], 1}, {in[1], 2}, {in[2], 3}, {in[3], 5}, {inverse, 6}}, {{out[0], 4}}, alignment_bytes);
  auto problem = cudnn::graph_problem(std::move(*graph), {{in[0], 1}, {in[1], 2}, {in[2], 3}}, {{out[0], 4}, {out[1], 5}, {inverse, 6}}, alignment_bytes);
  problem.scalars = {{7, batch_norm_epsilon}};
  return problem;
}

namespace {

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

/// Kernels of ours, the graph, kernels of ours.
class WrappedOp final : public Op {
 public:
  WrappedOp(std::function<Status()> before, std::unique_ptr<Op> graph, std::function<Status()> after)
      : before_(std::move(before)), graph_(std::move(graph)), after_(std::move(after)) {}
  Status enqueue() override {
    if (auto s = before_(); !s) return s;
    if (auto s = graph_->enqueue(); !s) return s;
    return after_();
  }

 private:
  std::function<Status()> before_;
  std::unique_ptr<Op> graph_;
  std::function<Status()> after_;
};

/// The operation's tensors around the graph's. Workspace: the graph's, the inverse deviations, the masked gradient.
class WrappedPlan final : public Plan {
 public:
  WrappedPlan(BatchNormProblem problem, BatchNormSpecs specs, bool apart, std::unique_ptr<Plan> graph)
      : problem_(std::move(problem)), specs_(std::move(specs)), apart_(apart), graph_(std::move(graph)) {}
  const std::vector<TensorSpec>& inputs() const override { return specs_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return specs_.outputs; }
  std::size_t workspace_bytes() const override { return masked_at() + (masks() ? align_up(specs_.outputs[0].bytes()) : 0); }
  std::size_t alignment_bytes() const override { return graph_->alignment_bytes(); }
  int sm_count_target() const override { return graph_->sm_count_target(); }
  std::map<std::string, std::string> notes() const override {
    auto notes = graph_->notes();
    notes["conversions"] = problem_.backward || problem_.inference ? "inverse deviation computed from the variance by a kernel of ours, timed with the op"
                                             : "variance computed from cuDNN's inverse deviation by a kernel of ours, timed with the op";
    if (problem_.activation != Activation::none)
      notes[std::string(to_text(problem_.activation))] = masks() ? "a kernel of ours before the graph" : apart_ ? "in place by a kernel of ours after the graph" : "in the graph";
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, specs_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, specs_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    auto* base = static_cast<std::byte*>(workspace.data);
    const std::size_t row_bytes = sizeof(float) * static_cast<std::size_t>(problem_.channels);
    auto* inverse = reinterpret_cast<float*>(base + inverse_at());
    std::vector<Tensor> in(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(graph_->inputs().size())), out(outputs.begin(), outputs.end());
    const std::size_t given_variance = problem_.inference ? 4 : 3;  // among the inputs, where it is one
    const bool variance_is_given = problem_.backward || problem_.inference;
    const Tensor inverse_tensor{variance_is_given ? graph_->inputs()[given_variance] : graph_->outputs()[2], {inverse, row_bytes}};
    std::function<Status()> before = [] { return Status{}; }, after = before;
    void* native = stream.native();
    if (variance_is_given) {
      const auto* variance = static_cast<const float*>(inputs[given_variance].region.data);
      in[given_variance] = inverse_tensor;
      if (masks()) in[1].region = {base + masked_at(), specs_.inputs[1].bytes()};
      before = [p = problem_, given = std::vector<Tensor>(inputs.begin(), inputs.end()), masked = masks() ? base + masked_at() : nullptr, variance, inverse,
                native]() -> Status {
        if (masked != nullptr)
          if (auto s = enqueue_through(p, given, masked, native); !s) return s;
        return enqueue_inverse_from_variance(variance, inverse, p.channels, native);
      };
      if (apart_) after = [p = problem_, y = outputs[0].region.data, native] { return enqueue_activation(p, y, native); };
    } else {
      auto* variance = static_cast<float*>(outputs[2].region.data);
      out[2] = inverse_tensor;
      after = [p = problem_, apart = apart_, y = outputs[0].region.data, variance, inverse, native]() -> Status {
        if (auto s = enqueue_variance_from_inverse(inverse, variance, p.channels, native); !s) return s;
        return apart ? enqueue_activation(p, y, native) : Status{};
      };
    }
    auto graph = graph_->bind(in, out, {base, graph_->workspace_bytes()}, stream);
    if (!graph) return tl::unexpected(graph.error());
    return std::make_unique<WrappedOp>(std::move(before), std::move(*graph), std::move(after));
  }

 private:
  bool masks() const { return problem_.backward && problem_.activation != Activation::none; }
  std::size_t inverse_at() const { return align_up(graph_->workspace_bytes()); }
  std::size_t masked_at() const { return inverse_at() + align_up(sizeof(float) * static_cast<std::size_t>(problem_.channels)); }
  BatchNormProblem problem_;
  BatchNormSpecs specs_;
  bool apart_;  ///< the forward's activation is ours
  std::unique_ptr<Plan> graph_;
};

/// How an algorithm's name says where the activation comes in: text before and behind the configuration's name.
struct Way {
  std::string_view prefix, suffix;
  bool fused = false, apart = false;
  std::string name(const std::string& configuration) const { return std::string(prefix) + configuration + std::string(suffix); }
};
std::vector<Way> ways_of(const BatchNormProblem& p) {
  if (p.activation == Activation::none) return {{}};
  if (p.backward) return {{gradient_prefix(p.activation), "", false, false}};
  return {{"", "", true, false}, {"", p.activation == Activation::relu ? "+relu" : p.activation == Activation::relu6 ? "+clip" : "+swish", false, true}};
}
/// The way that a name takes, and the rest of the name. The last way that fits is meant: every name fits an empty text.
Result<std::pair<Way, std::string>> way_of(const BatchNormProblem& p, const std::string& name) {
  const auto ways = ways_of(p);
  for (auto way = ways.rbegin(); way != ways.rend(); ++way)
    if (name.starts_with(way->prefix) && name.ends_with(way->suffix) && name.size() >= way->prefix.size() + way->suffix.size())
      return std::pair{*way, name.substr(way->prefix.size(), name.size() - way->prefix.size() - way->suffix.size())};
  return invalid_input("'" + name.substr(0, 60) + "' does not say how the activation comes in: it should be like " + ways.front().name("eng0"));
}

class GraphProvider final : public Provider {
 public:
  explicit GraphProvider(AlgorithmSearch search) : search_(std::move(search)) {}
  std::string_view name() const override { return "cudnn_graph"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_batch_norm(problem);
    if (!p) return tl::unexpected(p.error());
    std::vector<Offer> all;
    for (const Way& way : ways_of(*p)) {
      const auto found = search_for(*p, way, device);
      if (!found && found.error().kind != Reason::Kind::unsupported) return tl::unexpected(found.error());
      if (!found || found->candidates.empty()) {
        const Reason reason = found ? Reason{"no engine of cuDNN takes " + problem_id(problem), Reason::Kind::unsupported} : found.error();
        // On a CPU one row says it all.
        all.push_back({{"cudnn_graph", device.kind() == DeviceKind::cuda ? way.name("any") : "any", {}, {}}, reason});
        if (device.kind() != DeviceKind::cuda) break;
        continue;
      }
      auto offers = cudnn::make_offers(*found, rules_for(*p));
      if (search_.has(Tier::t1))
        for (const auto mode : cudnn::all_heuristic_modes) offers.push_back(cudnn::make_pick_offer(*found, mode, rules_for(*p)));
      for (auto& offer : offers) {
        offer.algorithm.name = way.name(offer.algorithm.name);
        all.push_back(std::move(offer));
      }
    }
    return all;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_batch_norm(problem);
    if (!p) return tl::unexpected(p.error());
    if (device.kind() != DeviceKind::cuda) return tl::unexpected(wrong_device());
    if (!algorithm.options.empty()) return invalid_input("'" + algorithm_id(algorithm).substr(0, 100) + "' has options; cudnn_graph has none here");
    const auto way_and_name = way_of(*p, algorithm.name);
    if (!way_and_name) return tl::unexpected(way_and_name.error());
    const auto& [way, name] = *way_and_name;
    const auto graph = norm_graph(*p, way.fused, alignment(*p, device));
    if (!graph) return tl::unexpected(graph.error());
    std::map<std::string, std::string> notes;
    auto configuration = cudnn::parse_configuration(name);
    if (const auto mode = cudnn::parse_pick_name(name)) {
      const auto target = cudnn::target_of(device);
      if (!target) return tl::unexpected(target.error());
      configuration = cudnn::pick(graph->graph, *target, *mode, rules_for(*p), device.configuration().sm_count_target);
      if (configuration) notes["selected"] = cudnn::to_text(*configuration);
    }
    if (!configuration) return tl::unexpected(configuration.error());
    auto made = cudnn::make_graph_plan(*graph, *configuration, device, std::move(notes));
    if (!made) return made;
    const auto specs = batch_norm_specs(*p, p->layout);
    if (!specs) return tl::unexpected(specs.error());
    return std::make_unique<WrappedPlan>(*p, *specs, way.apart, std::move(*made));
  }

 private:
  static Reason wrong_device() { return {"cudnn_graph batch norm exists for CUDA devices only", Reason::Kind::unsupported}; }
  static std::int64_t alignment(const BatchNormProblem& p, Device& device) {
    return std::min(cudnn::tensor_alignment(device.configuration(), p.storage), cudnn::tensor_alignment(device.configuration(), DataType::f32));
  }
  cudnn::OfferRules rules_for(const BatchNormProblem& p) const {
    cudnn::OfferRules rules;
    rules.workspace_cap_bytes = search_.workspace_cap_bytes;
    if (p.storage == DataType::f32) rules.refuse = cudnn::refuse_reduced_precision;
    return rules;
  }
  Result<cudnn::SearchResult> search_for(const BatchNormProblem& p, const Way& way, Device& device) const {
    if (device.kind() != DeviceKind::cuda) return tl::unexpected(wrong_device());
    const auto graph = norm_graph(p, way.fused, alignment(p, device));
    if (!graph) return tl::unexpected(graph.error());
    const auto target = cudnn::target_of(device);
    if (!target) return tl::unexpected(target.error());
    return cudnn::search(graph->graph, *target, search_, device.configuration().sm_count_target);
  }
  AlgorithmSearch search_;
};

}  // namespace

std::unique_ptr<Provider> make_cudnn_graph_provider(const AlgorithmSearch& search) { return std::make_unique<GraphProvider>(search); }

}  // namespace detbench::normalization
