// The fp64 answer to a matrix product.
#pragma once

#include "kernels/matmul/matmul_problem.hpp"
#include "kernels/op.hpp"

namespace detbench {

Result<FillSpec> matmul_fill(const MatmulProblem& problem, const TensorSpec& input, const Inputs& inputs);
Result<std::unique_ptr<Reference>> make_matmul_reference(const MatmulProblem& problem, const Inputs& inputs);

}  // namespace detbench
