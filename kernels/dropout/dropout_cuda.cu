// Dropout on a GPU: one thread per Philox call.
#include "kernels/dropout/parts.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::dropout {

Result<SimplePlanParts> cuda_dropout_parts(const DropoutProblem& problem) {
  SimplePlanParts parts = problem.parts();
  parts.launch = [mask = Mask::of(problem.p, problem.seed), n = problem.elements](std::span<const Tensor> in, std::span<const Tensor> out, Region,
                                                                                 void* stream) {
    const Apply apply{mask, n, static_cast<const float*>(in[0].region.data), static_cast<float*>(out[0].region.data)};
    return simple_cuda::enqueue_for_each((n + 3) / 4, apply, stream);
  };
  return parts;
}

}  // namespace detbench::dropout
