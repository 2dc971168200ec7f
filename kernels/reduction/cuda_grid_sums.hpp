// What the sums that meet in atomics share: an accumulator set to zero and a grid that fills the GPU. Included by .cu files
// alone.
//
// Additions to one f32 in global memory flush denormals, summands and sums alike, whatever the compiler is told: the instruction
// is RED.ADD.F32.FTZ (PTX ISA, `atom` and `red`). That of f64 does not.
#pragma once

#include "kernels/reduction/cuda_summands.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// Zeroes the sum, then calls launch(grid, stream). A block takes 1024 summands at least.
template <class Source, class Launch>
Status launch_onto_zero(const SumCall<Source>& call, const char* name, Launch&& launch) {
  const auto grid = filling_grid((call.n + 4 * block_threads - 1) / (4 * block_threads));
  if (!grid) return tl::unexpected(grid.error());
  const auto stream = static_cast<cudaStream_t>(call.stream);
  if (auto status = checked(cudaMemsetAsync(call.sum, 0, sizeof *call.sum, stream), "cudaMemsetAsync"); !status) return status;
  launch(*grid, stream);
  return launched(name);
}

}  // namespace detbench::reduction
