#include "kernels/matmul/matmul_reference.hpp"

namespace detbench {

Result<FillSpec> matmul_fill(const MatmulProblem& p, const TensorSpec& input, const Inputs& inputs) {
  if (input.role != "a" && input.role != "b") return invalid_input("'" + input.role + "' is no input of matmul");
  return product_fill(inputs, "matmul/" + input.role, p.k, input.type, narrowest_type(p.types, p.types.storage));
}

Result<std::unique_ptr<Reference>> make_matmul_reference(const MatmulProblem& p, const Inputs& inputs) {
  const auto tensors = tensors_of(p);
  std::vector<std::vector<float>> values;
  for (const auto& spec : tensors.inputs) {
    const auto fill = matmul_fill(p, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto filled = filled_values(spec.type, spec.shape, *fill);
    if (!filled) return tl::unexpected(filled.error());
    values.push_back(std::move(*filled));
  }
  const auto& spec = tensors.outputs[0];
  CheckedOutput output{spec.role, spec.type, spec.shape, {}, {}};
  output.indices = sample_outputs(spec.shape, checked_output_limit(element_count(spec.shape), p.k), inputs.seed);
  output.sums.resize(output.indices.size());
#pragma omp parallel for schedule(static)
  for (std::size_t o = 0; o < output.indices.size(); ++o) {
    const std::int64_t i = output.indices[o] / p.n, j = output.indices[o] % p.n;
    for (std::int64_t x = 0; x < p.k; ++x)
      output.sums[o].add(values[0][static_cast<std::size_t>(i * p.k + x)], values[1][static_cast<std::size_t>(x * p.n + j)]);
  }
  return make_product_sum_reference(inputs, path_precision(p.types), {std::move(output)});
}

}  // namespace detbench
