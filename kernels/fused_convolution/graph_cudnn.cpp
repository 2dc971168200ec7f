#include "kernels/fused_convolution/graph_cudnn.hpp"

#include "kernels/convolution/graph_cudnn.hpp"
#include "kernels/fused_convolution/operation.hpp"

namespace detbench {
namespace {

class CudnnGraphFused final : public Provider {
 public:
  explicit CudnnGraphFused(AlgorithmSearch search) : search_(std::move(search)) {}
  std::string_view name() const override { return "cudnn_graph"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    const auto target = target_for(device);
    if (!target) return none(target.error());
    auto offers = fused_convolution_offers(*p, *target, search_, device.configuration());
    if (!offers && offers.error().kind == Reason::Kind::unsupported) return none(offers.error());
    if (offers && offers->empty()) return none({"no engine of cuDNN takes " + problem_id(problem), Reason::Kind::unsupported});
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_fused_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (!algorithm.options.empty())
      return invalid_input("cudnn_graph takes no options, '" + algorithm_id(algorithm).substr(0, 200) + "' has some: knobs go into the name, eng20[TILE_SIZE=3]");
    const auto mode = cudnn::parse_pick_name(algorithm.name);
    Result<cudnn::Configuration> configuration;
    if (!mode) {
      configuration = cudnn::parse_configuration(algorithm.name);
      if (!configuration) return tl::unexpected(configuration.error());
    }
    const auto target = target_for(device);
    if (!target) return tl::unexpected(target.error());
    const auto stated = state_fused_convolution(*p, device.configuration());
    if (!stated) return tl::unexpected(stated.error());
    const auto rules = convolution_rules(*p, search_);
    if (mode) {
      configuration = cudnn::pick(stated->graph, *target, *mode, rules, device.configuration().sm_count_target);
      if (!configuration) return tl::unexpected(configuration.error());
      return cudnn::make_graph_plan(*stated, *configuration, device, {{"selected", cudnn::to_text(*configuration)}});
    }
    // An engine that is refused for its precision must not run under this name either.
    const auto engine = cudnn::describe_engine(stated->graph, *target, configuration->engine, device.configuration().sm_count_target);
    if (engine.finalized())
      if (const auto refused = rules.refuse(engine); !refused.empty()) return unsupported(refused);
    return cudnn::make_graph_plan(*stated, *configuration, device);
  }

 private:
  static Result<cudnn::Target> target_for(Device& device) {
    if (const auto library = cudnn::library(); !library) return tl::unexpected(library.error());
    return cudnn::target_of(device);
  }
  static std::vector<Offer> none(const Reason& reason) {
    Offer offer;
    offer.algorithm.provider = "cudnn_graph";
    offer.algorithm.name = "any";
    offer.unsupported = reason;
    return {std::move(offer)};
  }
  AlgorithmSearch search_;
};

}  // namespace

Result<cudnn::GraphProblem> state_fused_convolution(const FusedConvolutionProblem& p, const DeviceConfiguration& configuration) {
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  auto tensors = tensors_of(p);
  const auto alignment = [&](DataType type) { return cudnn::tensor_alignment(configuration, type); };
  const auto narrow = alignment(p.types.storage), wide = alignment(DataType::f32);
  const auto x = builder->tensor(cudnn::activation_tensor(1, tensors.inputs[0], narrow));
  const auto w = builder->tensor(cudnn::filter_tensor(2, tensors.inputs[1], narrow));
  const auto y = builder->tensor(cudnn::activation_tensor(3, tensors.outputs[0], narrow));
  cudnn::Convolution c;
  c.pre_paddings = {p.pt, p.pl}, c.post_paddings = {p.pb, p.pr}, c.strides = {p.sh, p.sw}, c.dilations = {p.dh, p.dw};

  cudnn::GraphProblem stated;
  stated.input_uids = {1, 2}, stated.output_uids = {3};
  stated.alignments = {narrow, narrow};
  if (p.pattern == FusedPattern::bias_relu6) {
    auto between = tensors.outputs[0];
    between.type = DataType::f32;
    const auto virtual_tensor = [&](std::int64_t uid) {
      auto tensor = cudnn::activation_tensor(uid, between, 16);
      tensor.is_virtual = true;
      return builder->tensor(tensor);
    };
    const auto convolved = virtual_tensor(10), biased = virtual_tensor(11);
    const auto bias = builder->tensor(cudnn::channel_tensor(4, CUDNN_DATA_FLOAT, p.oc, wide));
    builder->convolution(c, x, w, convolved);
    cudnn::Pointwise add, relu;
    add.mode = CUDNN_POINTWISE_ADD;
    builder->pointwise(add, convolved, bias, biased);
    relu.mode = CUDNN_POINTWISE_RELU_FWD;
    relu.relu_lower_clip = 0, relu.relu_upper_clip = 6;
    builder->pointwise(relu, biased, {}, y);
    stated.input_uids.push_back(4);
    stated.alignments.push_back(wide);
    stated.alignments.push_back(narrow);
  } else {
    builder->convolution(c, x, w, y);
    const auto sum = builder->tensor(cudnn::channel_tensor(5, CUDNN_DATA_FLOAT, p.oc, wide));
    const auto squares = builder->tensor(cudnn::channel_tensor(6, CUDNN_DATA_FLOAT, p.oc, wide));
    builder->gen_stats(y, sum, squares);
    stated.output_uids = {3, 5, 6};
    stated.alignments.insert(stated.alignments.end(), {narrow, wide, wide});
  }
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  stated.graph = std::move(*graph);
  stated.inputs = std::move(tensors.inputs);
  stated.outputs = std::move(tensors.outputs);
  return stated;
}

Result<std::vector<Offer>> fused_convolution_offers(const FusedConvolutionProblem& p, const cudnn::Target& target, const AlgorithmSearch& search,
                                                    const DeviceConfiguration& configuration) {
  const auto stated = state_fused_convolution(p, configuration);
  if (!stated) return tl::unexpected(stated.error());
  const auto rules = convolution_rules(p, search);
  const auto found = cudnn::search(stated->graph, target, search, configuration.sm_count_target);
  if (!found) return tl::unexpected(found.error());
  auto offers = cudnn::make_offers(*found, rules);
  if (!offers.empty() && search.has(Tier::t1))
    for (const auto mode : cudnn::all_heuristic_modes) offers.push_back(cudnn::make_pick_offer(*found, mode, rules));
  return offers;
}

std::unique_ptr<Provider> make_cudnn_graph_fused_convolution(const AlgorithmSearch& search) { return std::make_unique<CudnnGraphFused>(search); }

}  // namespace detbench
