// One run of a case whose digests another run recorded, maybe on another machine: what `detbench verify` asks for.
#pragma once

#include "bench/core/prepared_op.hpp"

namespace detbench {

struct Recomputed {
  Digest inputs, outputs;
  double elapsed_s = 0;  ///< preparing, filling and running
};

/// Fills, runs once over poisoned outputs and digests both. Reasons: what the problem, the algorithm or the device
/// lacks (unsupported, invalid_input), too little memory for the tensors and the workspace (out_of_memory), or what
/// went wrong.
Result<Recomputed> recompute(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                             const Inputs& inputs, Device& device);

}  // namespace detbench
