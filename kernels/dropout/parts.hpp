// Who answers dropout.
#pragma once

#include "kernels/dropout/mask.hpp"
#include "kernels/dropout/step_dropout.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::dropout {

struct DropoutProblem {
  std::int64_t elements = 1;
  double p = 0;
  std::uint64_t seed = 0;
  bool backward = false;
  TensorSpec input() const, output() const;
  /// Inputs, outputs and alignment of ours.
  SimplePlanParts parts() const;
};
/// The error of a malformed problem of dropout_fwd or dropout_bwd.
Result<DropoutProblem> parse_dropout_problem(const Problem& problem);

/// A reason where the build has no CUDA.
Result<SimplePlanParts> cuda_dropout_parts(const DropoutProblem& problem);
/// `parts` come with inputs and outputs.
Result<SimplePlanParts> cuda_step_dropout_parts(SimplePlanParts parts, const StepDropout& dropout);
std::unique_ptr<Provider> make_cudnn_legacy_dropout_provider();

}  // namespace detbench::dropout
