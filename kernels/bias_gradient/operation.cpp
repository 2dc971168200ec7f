#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/reduction/sums_reference.hpp"
#include "kernels/typed_operation.hpp"

namespace detbench {
namespace {

Result<FillSpec> fill(const BiasGradientProblem& p, const TensorSpec& input, const Inputs& inputs) {
  if (input.role != "diff_dst") return invalid_input("bias_grad has no input '" + input.role + "'; it has diff_dst");
  if (p.distribution != reduction::Distribution::centred && inputs.fill == InputFill::rounding)
    return reduction::summand_fill(inputs, "bias_grad/diff_dst", p.types.storage, DataType::f32, p.pixels() * p.channels, p.pixels(), p.distribution);
  auto fill = product_fill(inputs, "bias_grad/diff_dst", p.pixels(), p.types.storage, DataType::f32);
  // A sum is a sum of products with ones: where a long one must be sparse, one factor carries the sparsity of both.
  if (inputs.fill == InputFill::exact) fill.density *= fill.density;
  return fill;
}

Result<std::unique_ptr<Reference>> reference(const BiasGradientProblem& p, const Inputs& inputs) {
  const auto filling = fill(p, p.diff_dst(), inputs);
  if (!filling) return tl::unexpected(filling.error());
  const auto values = filled_values(p.types.storage, p.diff_dst().shape, *filling);
  if (!values) return tl::unexpected(values.error());
  std::vector<reduction::ReferenceSum> sums(static_cast<std::size_t>(p.channels));
  auto value = values->begin();
  while (value != values->end())
    for (auto& sum : sums) sum.add(*value++);
  return reduction::make_sums_reference(inputs, DataType::f32, std::move(sums));
}

}  // namespace

TensorSpec BiasGradientProblem::diff_dst() const {
  const Shape shape{batch, height, width, channels};
  return {"diff_dst", types.storage, shape, channels_last ? canonical_layout(shape) : permuted_layout(shape, {0, 3, 1, 2})};
}
TensorSpec BiasGradientProblem::diff_bias() const { return {"diff_bias", DataType::f32, {channels}, canonical_layout({channels})}; }

Result<BiasGradientProblem> parse_bias_gradient(const Problem& problem) {
  const auto shape = reduction::split_distribution(problem.shape);
  if (!shape) return tl::unexpected(shape.error());
  const auto f = read_shape(shape->fields, {{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"h", 1, 1 << 16}, {"w", 1, 1 << 16}});
  if (!f) return tl::unexpected(f.error());
  const auto types = parse_product_types(problem.types);
  if (!types) return tl::unexpected(types.error());
  if (types->tf32) return invalid_input("types '" + problem.types + "' do not exist for bias_grad, which multiplies nothing; f32_f32_strict, f16_f32_strict and bf16_f32_strict do");
  if (problem.layout != "nhwc" && problem.layout != "nchw")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for bias_grad; nhwc and nchw do");
  if (static_cast<double>((*f)[0]) * static_cast<double>((*f)[1]) * static_cast<double>((*f)[2]) * static_cast<double>((*f)[3]) > 0x1p36)
    return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
  return BiasGradientProblem{(*f)[0], (*f)[1], (*f)[2], (*f)[3], *types, problem.layout == "nhwc", shape->distribution};
}

/// For TypedOperation.
struct BiasGradientTensors {
  std::vector<TensorSpec> inputs, outputs;
};
BiasGradientTensors tensors_of(const BiasGradientProblem& p) { return {{p.diff_dst()}, {p.diff_bias()}}; }

std::unique_ptr<Operation> make_bias_gradient_operation(const AlgorithmSearch& search) {
  auto operation = std::make_unique<TypedOperation<BiasGradientProblem>>(
      "bias_grad", TypedFunctions<BiasGradientProblem>{parse_bias_gradient, fill, reference});
  operation->add(bias_gradient::make_fixed_order_provider());
  operation->add(bias_gradient::make_openmp_provider());
  operation->add(bias_gradient::make_cuda_provider());
  operation->add(bias_gradient::make_cudnn_legacy_provider());
  operation->add(bias_gradient::make_cudnn_graph_provider(search));
  return operation;
}

}  // namespace detbench
