#include "kernels/convolution/graph_cudnn.hpp"

#include <limits>
#include <set>

#include "kernels/convolution/operation.hpp"
#include "kernels/convolution/padded_plan.hpp"

namespace detbench {
namespace {

using cudnn::Support;

constexpr std::string_view any_row = "any";

/// How a problem with unequal pads is put to engines that pad both sides alike.
struct Restated {
  SymmetricForm form;
  std::string prefix;  ///< "pad+": zeros added by hand; "sym+": equal pads that give the same sums
};

std::optional<Restated> restate(const ConvolutionProblem& p) {
  if (p.pt == p.pb && p.pl == p.pr) return std::nullopt;
  auto form = symmetric_form(p);
  std::string prefix = form.by_hand.any() ? "pad+" : "sym+";
  return Restated{std::move(form), std::move(prefix)};
}

/// A configuration's name, taken apart.
struct ConfigurationName {
  std::optional<Restated> restated;  ///< with a prefix
  cudnn::Configuration configuration;
};

Result<ConfigurationName> read_name(const ConvolutionProblem& p, std::string_view name) {
  ConfigurationName read;
  for (const std::string_view prefix : {"pad+", "sym+"}) {
    if (!name.starts_with(prefix)) continue;
    read.restated = restate(p);
    if (!read.restated || read.restated->prefix != prefix)
      return unsupported(std::string(prefix) + "... does not exist for " + problem_id(to_problem(p)) +
                         (read.restated ? ": " + read.restated->prefix + " does" : ": its pads are equal"));
    name.remove_prefix(prefix.size());
    break;
  }
  auto configuration = cudnn::parse_configuration(name);
  if (!configuration) return tl::unexpected(configuration.error());
  read.configuration = std::move(*configuration);
  return read;
}

/// The accumulator of an engine with the REDUCED_PRECISION_REDUCTION note has the storage's precision, as far as the note
/// says anything: its roundoff over f32's.
double reduced_precision_constant(DataType storage) {
  switch (storage) {
    case DataType::f16: return 0x1p13;
    case DataType::bf16: return 0x1p16;
    default: return 1;
  }
}

class CudnnGraphConvolution final : public Provider {
 public:
  explicit CudnnGraphConvolution(AlgorithmSearch search) : search_(std::move(search)) {}
  std::string_view name() const override { return "cudnn_graph"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    const auto target = target_for(device);
    if (!target) return none(target.error());
    auto offers = convolution_offers(*p, *target, search_, device.configuration());
    if (!offers && offers.error().kind == Reason::Kind::unsupported) return none(offers.error());
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    if (!p) return tl::unexpected(p.error());
    if (!algorithm.options.empty())
      return invalid_input("cudnn_graph takes no options, '" + algorithm_id(algorithm).substr(0, 200) + "' has some: knobs go into the name, eng20[TILE_SIZE=3]");
    const std::string_view name = algorithm.name;
    if (const auto mode = cudnn::parse_pick_name(name)) return plan_pick(*p, *mode, device);
    if (name.starts_with("pick:"))
      return invalid_input("cudnn_graph has no '" + std::string(name.substr(0, 60)) + "': pick:heur_mode_a, _b, _fallback and _instant are");
    const auto read = read_name(*p, name);
    if (!read) return tl::unexpected(read.error());
    if (!read->restated) return plan_configuration(*p, read->configuration, device);
    auto inner = plan_configuration(read->restated->form.problem, read->configuration, device);
    if (!inner || !read->restated->form.by_hand.any()) return inner;
    return make_padded_plan(*p, read->restated->form, std::move(*inner));
  }

  std::optional<Offer> offer_by_name(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_convolution(problem);
    const auto target = target_for(device);
    if (!p || !target || !algorithm.options.empty()) return std::nullopt;  // plan() tells why
    const auto offer = convolution_offer(*p, *target, algorithm.name, search_, device.configuration());
    return offer ? std::optional(*offer) : std::nullopt;
  }

 private:
  static Result<cudnn::Target> target_for(Device& device) {
    const auto library = cudnn::library();
    if (!library) return tl::unexpected(library.error());
    return cudnn::target_of(device);
  }

  static std::vector<Offer> none(const Reason& reason) {
    Offer offer;
    offer.algorithm.provider = "cudnn_graph";
    offer.algorithm.name = any_row;
    offer.unsupported = reason;
    return {std::move(offer)};
  }

  /// An engine that is refused for its precision must not run under this name either.
  Status allowed(const ConvolutionProblem& p, const cudnn::GraphProblem& stated, const cudnn::Target& target, std::int64_t engine) const {
    const auto described = cudnn::describe_engine(stated.graph, target, engine);
    if (!described.finalized()) return {};  // make_graph_plan tells why
    const auto refused = convolution_rules(p, search_).refuse(described);
    return refused.empty() ? Status{} : unsupported(refused);
  }

  Result<std::unique_ptr<Plan>> plan_configuration(const ConvolutionProblem& p, const cudnn::Configuration& configuration, Device& device,
                                                   std::map<std::string, std::string> notes = {}) const {
    const auto target = target_for(device);
    if (!target) return tl::unexpected(target.error());
    const auto stated = state_convolution(p, device.configuration());
    if (!stated) return tl::unexpected(stated.error());
    if (auto s = allowed(p, *stated, *target, configuration.engine); !s) return tl::unexpected(s.error());
    return cudnn::make_graph_plan(*stated, configuration, device, std::move(notes));
  }

  Result<std::unique_ptr<Plan>> plan_pick(const ConvolutionProblem& p, cudnn::HeuristicMode mode, Device& device) const {
    const auto target = target_for(device);
    if (!target) return tl::unexpected(target.error());
    const auto stated = state_convolution(p, device.configuration());
    if (!stated) return tl::unexpected(stated.error());
    const auto picked = cudnn::pick(stated->graph, *target, mode, convolution_rules(p, search_), device.configuration().sm_count_target);
    if (!picked) return tl::unexpected(picked.error());
    return plan_configuration(p, *picked, device, {{"selected", cudnn::to_text(*picked)}});
  }

  AlgorithmSearch search_;
};

}  // namespace

Result<cudnn::GraphProblem> state_convolution(const ConvolutionProblem& p, const DeviceConfiguration& configuration) {
  if (p.layout == "blocked") return unsupported("cuDNN has no blocked layouts: nhwc and nchw problems are answered");
  auto builder = cudnn::GraphBuilder::make();
  if (!builder) return tl::unexpected(builder.error());
  auto tensors = tensors_of(p);
  const auto alignment = [&](const TensorSpec& spec) { return cudnn::tensor_alignment(configuration, spec.type); };
  // The three places of a convolution, whichever of them is computed.
  const auto &first = tensors.inputs[0], &second = tensors.inputs[1], &out = tensors.outputs[0];
  const auto& x = p.direction == Direction::dgrad ? out : first;
  const auto& w = p.direction == Direction::wgrad ? out : second;
  const auto& y = p.direction == Direction::forward ? out : p.direction == Direction::dgrad ? first : second;
  cudnn::Convolution c;
  c.pass = p.direction == Direction::forward ? cudnn::ConvolutionPass::forward
           : p.direction == Direction::dgrad ? cudnn::ConvolutionPass::data
                                             : cudnn::ConvolutionPass::filter;
  c.pre_paddings = {p.pt, p.pl}, c.post_paddings = {p.pb, p.pr}, c.strides = {p.sh, p.sw}, c.dilations = {p.dh, p.dw};
  const auto tx = builder->tensor(cudnn::activation_tensor(1, x, alignment(x)));
  const auto tw = builder->tensor(cudnn::filter_tensor(2, w, alignment(w)));
  const auto ty = builder->tensor(cudnn::activation_tensor(3, y, alignment(y)));
  builder->convolution(c, tx, tw, ty);
  auto graph = builder->build();
  if (!graph) return tl::unexpected(graph.error());
  cudnn::GraphProblem stated;
  stated.graph = std::move(*graph);
  switch (p.direction) {
    case Direction::forward: stated.input_uids = {1, 2}, stated.output_uids = {3}; break;
    case Direction::dgrad: stated.input_uids = {3, 2}, stated.output_uids = {1}; break;
    case Direction::wgrad: stated.input_uids = {1, 3}, stated.output_uids = {2}; break;
  }
  stated.alignments = {alignment(first), alignment(second), alignment(out)};
  stated.inputs = std::move(tensors.inputs);
  stated.outputs = std::move(tensors.outputs);
  return stated;
}

cudnn::OfferRules convolution_rules(const ConvolutionProblem& p, const AlgorithmSearch& search) {
  cudnn::OfferRules rules;
  rules.workspace_cap_bytes = search.workspace_cap_bytes;
  rules.reduced_precision_constant = reduced_precision_constant(p.types.storage);
  if (p.types.storage != DataType::f32) return rules;
  rules.refuse = [tf32 = p.types.tf32](const cudnn::Engine& engine) -> std::string {
    if (engine.has_note(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return "lower precision than asked: the engine rounds its inputs to 16 bits (note DOWN_CONVERT_INPUTS)";
    if (engine.has_note(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION))
      return "lower precision than asked: the engine adds up in less than f32 (note REDUCED_PRECISION_REDUCTION)";
    if (!tf32 && engine.has_note(CUDNN_NUMERICAL_NOTE_TENSOR_CORE))
      return "lower precision than asked: TF32 products (note TENSOR_CORE); an arm of f32_f32_tf32";
    return {};
  };
  return rules;
}

Result<std::vector<Offer>> convolution_offers(const ConvolutionProblem& p, const cudnn::Target& target, const AlgorithmSearch& search,
                                              const DeviceConfiguration& configuration) {
  const int sm_count_target = configuration.sm_count_target;
  const auto stated = state_convolution(p, configuration);
  if (!stated) return tl::unexpected(stated.error());
  auto rules = convolution_rules(p, search);
  const auto found = cudnn::search(stated->graph, target, search, sm_count_target);
  if (!found) return tl::unexpected(found.error());
  auto offers = cudnn::make_offers(*found, rules);

  if (search.has(Tier::t1))
    for (const auto mode : cudnn::all_heuristic_modes) offers.push_back(cudnn::make_pick_offer(*found, mode, rules));

  // Engines that pad both sides alike get the problem restated: those that took nothing of the problem as it was asked.
  const auto restated = restate(p);
  if (!restated) return offers;
  std::set<std::int64_t> served;
  for (const auto& candidate : found->candidates)
    if (candidate.support == Support::valid) served.insert(candidate.configuration.engine);
  const auto symmetric = state_convolution(restated->form.problem, configuration);
  if (!symmetric) return tl::unexpected(symmetric.error());
  const auto more = cudnn::search(symmetric->graph, target, search, sm_count_target);
  if (!more) return tl::unexpected(more.error());
  rules.prefix = restated->prefix;
  const auto padding = static_cast<std::int64_t>(restated->form.workspace_bytes());
  for (auto candidate : more->candidates) {
    // Refused engines have their row already.
    if (candidate.support == Support::unsupported || served.contains(candidate.configuration.engine) || !rules.refuse(more->engine_of(candidate)).empty())
      continue;
    candidate.workspace_bytes += padding;
    offers.push_back(cudnn::make_offer(*more, candidate, rules));
  }
  return offers;
}

Result<Offer> convolution_offer(const ConvolutionProblem& p, const cudnn::Target& target, std::string_view name, const AlgorithmSearch& search,
                                const DeviceConfiguration& configuration) {
  const auto read = read_name(p, name);
  if (!read) return tl::unexpected(read.error());
  const auto stated = state_convolution(read->restated ? read->restated->form.problem : p, configuration);
  if (!stated) return tl::unexpected(stated.error());
  auto rules = convolution_rules(p, search);
  // Who names a configuration wants it, whatever its workspace.
  rules.workspace_cap_bytes = std::numeric_limits<std::size_t>::max();
  if (read->restated) rules.prefix = read->restated->prefix;
  return cudnn::offer_configuration(stated->graph, target, read->configuration, rules, configuration.sm_count_target);
}

std::unique_ptr<Provider> make_cudnn_graph_convolution(const AlgorithmSearch& search) { return std::make_unique<CudnnGraphConvolution>(search); }

}  // namespace detbench
