// Pooling as cuDNN's resampling graphs, every engine. Backward of a maximum takes its input and the forward's answer: reset()
// puts the answer into the workspace, untimed, as a training step has it (ours computes it: a maximum has no rounding).
// The library has been seen to crash while it lists engines for that graph in channels-last layout without a GPU, so such a
// list is asked for in a process of its own (the sweep's workers).
#include "kernels/cudnn/graph_provider.hpp"
#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/graph_cudnn.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

enum Uid : std::int64_t { uid_x = 1, uid_y = 2, uid_dx = 3, uid_dy = 4 };

std::vector<cudnnFraction_t> fractions(std::int64_t a, std::int64_t b) { return {{a, 1}, {b, 1}}; }

/// Around the graph's plan of src, diff_dst and dst: the plan of src and diff_dst, with dst in the workspace.
class MaxBackwardPlan final : public Plan {
 public:
  MaxBackwardPlan(const WindowProblem& problem, SimplePlanParts forward, std::unique_ptr<Plan> graph)
      : problem_(problem), inputs_(problem.plan_inputs()), forward_(std::move(forward)), graph_(std::move(graph)) {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return graph_->outputs(); }
  std::size_t workspace_bytes() const override { return answer_bytes() + graph_->workspace_bytes(); }
  int sm_count_target() const override { return graph_->sm_count_target(); }
  std::map<std::string, std::string> notes() const override { return graph_->notes(); }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, inputs_, "inputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes())
      return invalid_input("the plan wants a workspace of " + std::to_string(workspace_bytes()) + " bytes, got " + std::to_string(workspace.bytes));
    const Tensor answer{graph_->inputs()[2], {workspace.data, problem_.output().bytes()}};
    const Region rest{static_cast<std::byte*>(workspace.data) + answer_bytes(), workspace.bytes - answer_bytes()};
    const std::vector<Tensor> all{inputs[0], inputs[1], answer};
    auto op = graph_->bind(all, outputs, rest, stream);
    if (!op) return op;
    return std::make_unique<FunctionOp>([op = std::shared_ptr<Op>(std::move(*op))] { return op->enqueue(); },
                                        [forward = forward_.launch, source = inputs[0], answer, native = stream.native()] {
                                          return forward({&source, 1}, {&answer, 1}, {}, native);
                                        });
  }

 private:
  std::size_t answer_bytes() const { return (problem_.output().bytes() + 255) / 256 * 256; }
  WindowProblem problem_;
  std::vector<TensorSpec> inputs_;
  SimplePlanParts forward_;
  std::unique_ptr<Plan> graph_;
};

Result<std::unique_ptr<Plan>> with_answer(const Problem& problem, std::unique_ptr<Plan> graph, Device&) {
  auto p = parse_window_problem(problem);
  if (!p) return tl::unexpected(p.error());
  WindowProblem forward = *p;
  forward.op = WindowOp::max_forward;
  auto parts = cuda_window_parts(forward, Winners::found_again);
  if (!parts) return tl::unexpected(parts.error());
  return std::make_unique<MaxBackwardPlan>(*p, std::move(*parts), std::move(graph));
}

TensorSpec with_role(TensorSpec spec, const char* role) {
  spec.role = role;
  return spec;
}

}  // namespace

Result<cudnn::GraphProblem> resample_graph(const WindowProblem& p, std::int64_t alignment_bytes) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  cudnn::Resample r;
  r.mode = is_maximum(p.op)    ? CUDNN_RESAMPLE_MAXPOOL
           : p.counts_padding ? CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING
                              : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING;
  r.padding = is_maximum(p.op) ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD;
  r.fraction_window = fractions(p.kh, p.kw);
  r.fraction_strides = fractions(p.sh, p.sw);
  r.fraction_pre_paddings = fractions(p.pt, p.pl);
  r.fraction_post_paddings = fractions(p.pb, p.pr);
  const TensorSpec large = p.input(), small = p.output();
  const auto tensor = [&](std::int64_t uid, const TensorSpec& spec) { return builder->tensor(cudnn::activation_tensor(uid, spec, alignment_bytes)); };
  std::vector<cudnn::GraphSide> inputs, outputs;
  if (!is_backward(p.op)) {
    builder->resample_forward(r, tensor(uid_x, large), tensor(uid_y, small));
    inputs = {{large, uid_x}}, outputs = {{small, uid_y}};
  } else if (!is_maximum(p.op)) {
    builder->resample_backward(r, tensor(uid_dy, small), tensor(uid_dx, large));
    inputs = {{small, uid_dy}}, outputs = {{large, uid_dx}};
  } else {
    const TensorSpec source = p.source(), answer = with_role(small, "dst");
    builder->resample_backward(r, tensor(uid_dy, small), tensor(uid_dx, large), {}, tensor(uid_x, source), tensor(uid_y, answer));
    inputs = {{source, uid_x}, {small, uid_dy}, {answer, uid_y}}, outputs = {{large, uid_dx}};
  }
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::graph_problem(std::move(*graph), inputs, outputs, alignment_bytes);
}

std::unique_ptr<Provider> make_cudnn_graph_window_provider(WindowOp op, const AlgorithmSearch& search) {
  cudnn::GraphProviderParts parts;
  parts.graph = [](const Problem& problem, std::int64_t alignment_bytes) -> Result<cudnn::GraphProblem> {
    auto p = parse_window_problem(problem);
    if (!p) return tl::unexpected(p.error());
    return resample_graph(*p, alignment_bytes);
  };
  if (op == WindowOp::max_backward) parts.wrap = with_answer;
  parts.search = search;
  parts.rules.refuse = cudnn::refuse_reduced_precision;
  return cudnn::make_graph_provider(std::move(parts));
}

std::unique_ptr<Provider> make_cudnn_graph_global_average_provider(bool is_backward, GlobalAverageSpecs specs, const AlgorithmSearch& search) {
  cudnn::GraphProviderParts parts;
  parts.graph = [is_backward, specs](const Problem& problem, std::int64_t alignment_bytes) -> Result<cudnn::GraphProblem> {
    auto given = specs(problem);
    if (!given) return tl::unexpected(given.error());
    const TensorSpec& large = (is_backward ? given->outputs : given->inputs)[0];
    if (!large.layout.blocks.empty()) return unsupported("cuDNN's graphs have no blocked layouts");
    WindowProblem p{};
    p.op = is_backward ? WindowOp::average_backward : WindowOp::average_forward;
    p.images = large.shape[0], p.channels = large.shape[3], p.ih = p.kh = p.sh = large.shape[1], p.iw = p.kw = p.sw = large.shape[2], p.oh = p.ow = 1;
    p.layout = problem.layout;
    auto graph = resample_graph(p, alignment_bytes);
    if (!graph) return graph;
    // The same memory under the operation's own names: a matrix (N,C) is (N,1,1,C).
    graph->inputs = given->inputs, graph->outputs = given->outputs;
    return graph;
  };
  parts.search = search;
  parts.rules.refuse = cudnn::refuse_reduced_precision;
  return cudnn::make_graph_provider(std::move(parts));
}

}  // namespace detbench::pooling
