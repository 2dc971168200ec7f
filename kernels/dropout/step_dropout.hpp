// Dropout inside a train step: another mask in every step, and the same one in the backward pass as in the forward pass.
// The step's number comes from memory when the op runs, so that a captured train step draws new masks too.
//
// Element i of the batch is dropped in step s when word i % 4 of Philox(index i / 4, call s) under the key of (seed, stream)
// lies below floor(rate 2^32); what stays is multiplied by 1 / (1 - rate) rounded to f32, in f32, and rounded once. With
// whole_samples (drop-connect, stochastic depth) i is the sample's number, and all of it is dropped or none.
#pragma once

#include <memory>
#include <string>

#include "kernels/op.hpp"

namespace detbench {

struct StepDropout {
  std::int64_t samples = 1;
  std::int64_t elements_per_sample = 1;  ///< as they lie in memory, padding too
  double rate = 0;                       ///< from 0 to below 1
  bool whole_samples = false;
  std::uint64_t seed = 0;
  std::string stream;                    ///< name of the random stream: each layer its own
};

/// Inputs: src (samples * elements_per_sample), `step` i32 [1]; output: dst, which may be src's memory. Forward: src is
/// the activation; backward: the gradient. Vectors of `type`: f32, f16 or bf16. Samples have to be slowest in memory, and
/// forward and backward laid out alike, because elements are counted as they lie.
Result<std::unique_ptr<Plan>> plan_step_dropout(const StepDropout& dropout, DataType type, Device& device);

}  // namespace detbench
