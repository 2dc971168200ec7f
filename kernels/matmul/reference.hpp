// The fp64 answer to a dense layer.
#pragma once

#include "kernels/matmul/problem.hpp"
#include "kernels/op.hpp"

namespace detbench {

Result<FillSpec> dense_fill(const DenseProblem& problem, const TensorSpec& input, const Inputs& inputs);
Result<std::unique_ptr<Reference>> make_dense_reference(const DenseProblem& problem, const Inputs& inputs);

/// Element `index` (canonical) of output number `output` in fp64, summed in ascending order; `inputs` in the order of
/// tensors_of(), canonical.
ProductSum dense_output(const DenseProblem& problem, const std::vector<const float*>& inputs, std::size_t output,
                        std::int64_t index);

/// Provider `reference`: algorithm direct_f64, up to 2e8 operations.
std::unique_ptr<Provider> make_reference_dense();

}  // namespace detbench
