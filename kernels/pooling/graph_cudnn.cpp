// Pooling as cuDNN's resampling graphs, every engine. Backward of a maximum takes the forward's answer and its index of winners
// beside its input; reset() runs a forward graph that keeps them, untimed, as a training step has it. Both are given: the
// channels-last engine reads the index (and crashes while it is listed where there is none: 9.19), the planes' one the answer.
#include "kernels/cudnn/graph_provider.hpp"
#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/graph_cudnn.hpp"
#include "kernels/pooling/kept_forward.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

enum Uid : std::int64_t { uid_x = 1, uid_y = 2, uid_dx = 3, uid_dy = 4, uid_winners = 5 };

std::vector<cudnnFraction_t> fractions(std::int64_t a, std::int64_t b) { return {{a, 1}, {b, 1}}; }

cudnn::Resample resample_of(const WindowProblem& p) {
  cudnn::Resample r;
  r.mode = is_maximum(p.op)   ? CUDNN_RESAMPLE_MAXPOOL
           : p.counts_padding ? CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING
                              : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING;
  r.padding = is_maximum(p.op) ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD;
  r.fraction_window = fractions(p.kh, p.kw);
  r.fraction_strides = fractions(p.sh, p.sw);
  r.fraction_pre_paddings = fractions(p.pt, p.pl);
  r.fraction_post_paddings = fractions(p.pb, p.pr);
  return r;
}

TensorSpec answer_of(const WindowProblem& p) {
  TensorSpec spec = p.output();
  spec.role = "dst";
  return spec;
}

/// The index of winners: a byte where every position within the window fits one.
TensorSpec winners_of(const WindowProblem& p) {
  TensorSpec spec = p.output();
  spec.role = "winners";
  spec.type = p.kh * p.kw <= 127 ? DataType::u8 : DataType::i32;
  return spec;
}

cudnn::GraphTensor tensor_of(std::int64_t uid, const TensorSpec& spec, std::int64_t alignment_bytes) {
  auto tensor = cudnn::activation_tensor(uid, spec, alignment_bytes);
  if (spec.type == DataType::u8) tensor.type = CUDNN_DATA_INT8;  // the index is signed there
  return tensor;
}

/// src -> dst, winners.
Result<cudnn::GraphProblem> kept_forward_graph(const WindowProblem& p, std::int64_t alignment_bytes) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const TensorSpec source = p.source(), answer = answer_of(p), winners = winners_of(p);
  const auto tensor = [&](std::int64_t uid, const TensorSpec& spec) { return builder->tensor(tensor_of(uid, spec, alignment_bytes)); };
  builder->resample_forward(resample_of(p), tensor(uid_x, source), tensor(uid_y, answer), tensor(uid_winners, winners));
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::graph_problem(std::move(*graph), {{source, uid_x}}, {{answer, uid_y}, {winners, uid_winners}}, alignment_bytes);
}

/// A plan of the first configuration that is valid, heuristics' proposals first.
Result<std::unique_ptr<Plan>> first_plan(const cudnn::GraphProblem& problem, Device& device) {
  auto target = cudnn::target_of(device);
  if (!target) return tl::unexpected(target.error());
  auto found = cudnn::search(problem.graph, *target, {}, device.configuration().sm_count_target);
  if (!found) return tl::unexpected(found.error());
  for (const auto& candidate : found->candidates)
    if (candidate.support == cudnn::Support::valid) return cudnn::make_graph_plan(problem, candidate.configuration, device);
  return unsupported("no engine of cuDNN's graph API keeps the winners of this maximum");
}

Result<std::unique_ptr<Plan>> with_forward(const Problem& problem, std::unique_ptr<Plan> backward, Device& device) {
  auto p = parse_window_problem(problem);
  if (!p) return tl::unexpected(p.error());
  auto graph = kept_forward_graph(*p, cudnn::tensor_alignment(device.configuration(), DataType::f32));
  if (!graph) return tl::unexpected(graph.error());
  auto forward = first_plan(*graph, device);
  if (!forward) return forward;
  return std::make_unique<KeptForwardPlan>(p->plan_inputs(), std::move(*forward), std::move(backward));
}

}  // namespace

Result<cudnn::GraphProblem> resample_graph(const WindowProblem& p, std::int64_t alignment_bytes) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  const cudnn::Resample r = resample_of(p);
  const TensorSpec large = p.input(), small = p.output();
  const auto tensor = [&](std::int64_t uid, const TensorSpec& spec) { return builder->tensor(tensor_of(uid, spec, alignment_bytes)); };
  std::vector<cudnn::GraphSide> inputs, outputs;
  if (!is_backward(p.op)) {
    builder->resample_forward(r, tensor(uid_x, large), tensor(uid_y, small));
    inputs = {{large, uid_x}}, outputs = {{small, uid_y}};
  } else if (!is_maximum(p.op)) {
    builder->resample_backward(r, tensor(uid_dy, small), tensor(uid_dx, large));
    inputs = {{small, uid_dy}}, outputs = {{large, uid_dx}};
  } else {
    const TensorSpec source = p.source(), answer = answer_of(p), winners = winners_of(p);
    builder->resample_backward(r, tensor(uid_dy, small), tensor(uid_dx, large), tensor(uid_winners, winners), tensor(uid_x, source), tensor(uid_y, answer));
    inputs = {{source, uid_x}, {small, uid_dy}, {answer, uid_y}, {winners, uid_winners}}, outputs = {{large, uid_dx}};
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
  if (op == WindowOp::max_backward) parts.wrap = with_forward;
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
