#include "models/graph_builder.hpp"

#include "kernels/activation/activation.hpp"
#include "kernels/device/reorder.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "models/problems.hpp"

namespace detbench {
namespace {

/// True where memory that lies as `have` says can be read as `wanted`: a vector of features is a matrix to one op and a
/// 1x1 image to another, both plain.
bool readable_as(const TensorSpec& have, const TensorSpec& wanted) {
  if (have.type != wanted.type) return false;
  if (have.shape == wanted.shape) return have.layout == wanted.layout;
  return have.is_canonical() && wanted.is_canonical() && have.bytes() == wanted.bytes();
}

}  // namespace

GraphBuilder::GraphBuilder(const Network& network, std::int64_t batch, std::string types, const Selection& selection, const Registry& registry, Device& device)
    : network_(network), batch_(batch), types_(std::move(types)), selection_(selection), registry_(registry), device_(device),
      chooser_(selection, registry, device) {
  if (types_.starts_with("bf16")) storage_ = DataType::bf16;
  if (types_.starts_with("f16")) storage_ = DataType::f16;
  element_types_ = std::string(to_text(storage_)) + "_f32_strict";
  // Blocked layouts are a CPU's; a selection that asks for them elsewhere gets the plain one.
  activation_layout_ = device.kind() == DeviceKind::cpu ? selection.activation_layout : "nhwc";
}

/// Some small ops exist in f32 only; they get their tensors cast.
Result<ChosenPlan> GraphBuilder::choose_with_types(Problem problem, const std::string& types, const std::function<Result<ChosenPlan>(Problem)>& choose) {
  problem.types = types;
  const auto* operation = registry_.find(problem.op);
  if (operation != nullptr && storage_ != DataType::f32 && !operation->check(problem)) problem.types = "f32_f32_strict";
  return choose(std::move(problem));
}

/// cuDNN's kernels write gradients of 16-bit weights in 16 bits, and hardly any of them in f32. A selection that knows only
/// the other spelling gets that one; so does fixed order, whose gradients are f32 on a CPU and keep their bits here.
std::string GraphBuilder::weight_gradient_types_on_gpu(const Layer& layer) const {
  const auto narrow = weight_gradient_types(types_, WeightGradients::as_data);
  const auto* narrow_rule = selection_.find(layer_problem(layer, batch_, "conv_wgrad", narrow, "nhwc"));
  const auto* wide_rule = selection_.find(layer_problem(layer, batch_, "conv_wgrad", types_, "nhwc"));
  const bool wide = wide_rule != nullptr && (narrow_rule == nullptr || narrow_rule->algorithm.provider == "fixed_order");
  return wide ? types_ : narrow;
}

Result<ChosenPlan> GraphBuilder::choose_product(const Layer& layer, const std::string& op) {
  const bool dense = layer.kind == LayerKind::dense;
  const auto types = op == "conv_wgrad" && device_.kind() == DeviceKind::cuda ? weight_gradient_types_on_gpu(layer) : types_;
  const std::string layout = dense ? "rowmajor" : activation_layout_;
  return choose_with_types(layer_problem(layer, batch_, op, types, dense ? "rowmajor" : "nhwc"), types,
                           [&](Problem p) { return chooser_.choose(std::move(p), layout); });
}

Result<ChosenPlan> GraphBuilder::choose_like(const Layer& layer, const std::string& op, int value, std::size_t input) {
  return choose_with_types(layer_problem(layer, batch_, op, element_types_, "nhwc"), element_types_,
                           [&](Problem p) { return chooser_.choose_for_layout(std::move(p), program_.spec(value), input); });
}

Result<ChosenPlan> GraphBuilder::choose_vector(const std::string& op, int value) {
  Problem problem = vector_problem(op, program_.spec(value).layout.elements);
  problem.types = std::string(to_text(program_.spec(value).type)) + "_f32_strict";
  return chooser_.choose(std::move(problem), "vector");
}

Result<ChosenPlan> GraphBuilder::choose_plain(Problem problem) {
  const std::string layout = problem.layout;
  return chooser_.choose(std::move(problem), layout);
}

Result<int> GraphBuilder::in_layout(Copies& copies, const TensorSpec& wanted, const char* phase, const std::string& layer) {
  for (int v : copies)
    if (readable_as(program_.spec(v), wanted)) return v;
  int source = copies.front();
  for (int v : copies)  // a copy of the right type or layout makes the way shorter
    if (program_.spec(v).type == wanted.type && program_.spec(v).shape == wanted.shape) source = v;
  if (program_.spec(source).shape != wanted.shape) {
    // Another view of the same elements (a flattened image) exists in canonical order only.
    auto plain = canonical(copies, program_.spec(source).type, phase, layer);
    if (!plain) return plain;
    source = program_.add_view(*plain, {wanted.role, program_.spec(*plain).type, wanted.shape, canonical_layout(wanted.shape)});
    copies.push_back(source);
    if (readable_as(program_.spec(source), wanted)) return source;
  }
  const TensorSpec from = program_.spec(source);
  TensorSpec to = wanted;
  to.role = from.role;
  auto plan = plan_reorder(from, to, device_);
  if (!plan) return tl::unexpected(plan.error());
  const int value = program_.add_value(to);
  std::string name = "reorder:" + describe_layout(from) + "-" + describe_layout(to);
  if (from.type != to.type) name += ":" + std::string(to_text(from.type)) + "-" + std::string(to_text(to.type));
  if (auto s = program_.add_op({phase, layer, "reorder", "", name, false}, std::move(*plan), {source}, {value}); !s) return tl::unexpected(s.error());
  copies.push_back(value);
  return value;
}

Result<int> GraphBuilder::canonical(Copies& copies, DataType type, const char* phase, const std::string& layer) {
  TensorSpec spec = program_.spec(copies.front());
  spec.type = type;
  spec.layout = canonical_layout(spec.shape);
  return in_layout(copies, spec, phase, layer);
}

std::vector<int> GraphBuilder::add_outputs(const Plan& plan) {
  std::vector<int> values;
  for (const auto& spec : plan.outputs()) values.push_back(program_.add_value(spec));
  return values;
}

Status GraphBuilder::add(const char* phase, const std::string& layer, const ChosenPlan& chosen, std::vector<int> inputs, std::vector<int> outputs, bool side) {
  fallbacks_ += chosen.fallback;
  return program_.add_op({phase, layer, chosen.problem.op, problem_id(chosen.problem), algorithm_id(chosen.algorithm), chosen.fallback, side}, chosen.plan,
                         std::move(inputs), std::move(outputs));
}

Status GraphBuilder::add_own(const char* phase, const std::string& layer, const char* op, Result<std::unique_ptr<Plan>> plan, std::vector<int> inputs,
                             std::vector<int> outputs, bool side) {
  if (!plan) return tl::unexpected(plan.error());
  return program_.add_op({phase, layer, op, "", "fixed_order:elementwise", false, side}, std::move(*plan), std::move(inputs), std::move(outputs));
}

Result<int> GraphBuilder::add_sum(const char* phase, const std::string& layer, int a, int b) {
  auto chosen = choose_vector("add", a);
  if (!chosen) return tl::unexpected(chosen.error());
  TensorSpec spec = program_.spec(a);
  spec.role = "dst";
  const int sum = program_.add_value(std::move(spec));
  if (auto s = add(phase, layer, *chosen, {a, b}, {sum}); !s) return tl::unexpected(s.error());
  return sum;
}

Reason GraphBuilder::in_layer(const Reason& reason, int layer) const {
  return {network_.name + " " + network_.layers[layer].name + ": " + reason.text, reason.kind};
}

TensorSpec GraphBuilder::tensor_spec(std::string role, const ImageSize& size, DataType type) const {
  const Shape shape{batch_, size.height, size.width, size.channels};
  return {std::move(role), type, shape, canonical_layout(shape)};
}

}  // namespace detbench
